# SPDX-License-Identifier: GPL-2.0
"""Join a person's terminal (or a pipe) to a lab machine: its serial console, and the emulator's own debugger."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import tty

LEAVE = b"\x1d"             # Ctrl-]
SWITCH = b"\x1c"            # Ctrl-\: between console and debugger; to the debugger it also stops the machine
PROMPT = b"lab# "           # /init's shell; what is typed before it appears waits


@contextlib.contextmanager
def raw(descriptor):
    """Put a terminal in raw mode for a while; leave anything else alone."""
    if not os.isatty(descriptor):
        yield
        return
    saved = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, saved)


class Terminal:
    """Two pseudo-terminals, one for the machine's serial port, one for the emulator's debugger; one user."""

    def __init__(self, debugger):
        self.console, slave = os.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)
        self.debugger, self.debugger_slave = os.openpty() if debugger else (None, None)
        self.target = self.debugger or self.console
        self.seen, self.prompted = b"", False

    def run(self, command, environment, folder):
        """Start the emulator and serve until it ends or the user leaves."""
        with open(folder / "emulator.out", "w") as output:
            own = self.debugger_slave
            process = subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True,
                                       stdin=own or subprocess.DEVNULL, stdout=own or output, stderr=output)
            try:
                with raw(sys.stdin.fileno()):
                    self.serve(process)
            finally:
                process.kill()
                process.wait()

    def ready(self):
        """Does someone listen at the other end? The kernel's serial port would lose what comes too early."""
        return self.target != self.console or self.prompted

    def serve(self, process):
        user = sys.stdin.fileno()
        machine = [self.console] + ([self.debugger] if self.debugger else [])
        user_open = True
        while process.poll() is None:
            sources = machine + ([user] if user_open and self.ready() else [])
            readable, _, _ = select.select(sources, [], [], 0.2)
            for source in machine:
                if source in readable:
                    self.show(os.read(source, 4096), source)
            if user in readable:
                # Small bites: the emulated serial port has a small buffer and no flow control.
                data = os.read(user, 8)
                if LEAVE in data:
                    return
                if SWITCH in data and self.debugger:
                    self.switch(process)
                elif data:
                    os.write(self.target, data)
                else:
                    user_open = False

    def show(self, data, source):
        if source == self.console and not self.prompted:
            self.seen = (self.seen + data)[-4096:]
            self.prompted = PROMPT in self.seen
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def switch(self, process):
        to_debugger = self.target == self.console
        self.target = self.debugger if to_debugger else self.console
        if to_debugger:
            process.send_signal(signal.SIGINT)
        sys.stdout.write(f"\r\n[{'debugger' if to_debugger else 'console'}]\r\n")
        sys.stdout.flush()
