// SPDX-License-Identifier: GPL-2.0
/*
 * A shared folder's file server in its namespace: the real diod, told by 9P messages what a hostile guest might say.
 */
#include "../lib/ktap.c"

#define TPZ_H
enum { STATUS_CANNOT = 2 };
#include "../../tools/tpz/share.c"

#define RLERROR		7
#define TLOPEN		12
#define TLCREATE	14
#define TVERSION	100
#define TATTACH		104
#define TWALK		110
#define TREAD		116

#define OTHER_USER	1234

static struct share share;
static char folder[] = "/tmp/share-XXXXXX";
static uint8_t message[4096], answer[70000];
static uint32_t message_bytes, answer_bytes;
static bool is_open;

/* ------------------------------------------------------------------ a client */

static void put(const void *data, size_t bytes)
{
	memcpy(message + message_bytes, data, bytes);
	message_bytes += bytes;
}

static void put32(uint32_t value)
{
	put(&value, 4);
}

static void put_text(const char *text)
{
	uint16_t length = strlen(text);

	put(&length, 2);
	put(text, length);
}

static void begin(uint8_t type)
{
	const uint8_t header[7] = { [4] = type, [5] = 1 };

	message_bytes = 0;
	put(header, sizeof(header));
}

static uint32_t word(unsigned int at)
{
	uint32_t value;

	memcpy(&value, answer + at, 4);
	return value;
}

/* @return the error that the server answered, or 0 */
static uint32_t call(void)
{
	struct pollfd in = { .fd = share.socket, .events = POLLIN };

	memcpy(message, &message_bytes, 4);
	CHECK_EQ(write(share.socket, message, message_bytes), message_bytes);
	answer_bytes = 0;
	do {
		ssize_t got;

		CHECK_SYS(poll(&in, 1, -1));
		got = read(share.socket, answer + answer_bytes, sizeof(answer) - answer_bytes);
		CHECK_GT(got, 0);
		answer_bytes += got;
	} while (answer_bytes < 7 || answer_bytes < word(0));
	CHECK_EQ(answer_bytes, word(0));
	if (answer[4] == RLERROR)
		return word(7);
	CHECK_EQ(answer[4], message[4] + 1);
	return 0;
}

static void close_share(void *arg)
{
	if (is_open)
		share_close(&share);
	is_open = false;
}

static void attach(uint32_t user)
{
	begin(TVERSION);
	put32(65536);
	put_text("9P2000.L");
	CHECK_EQ(call(), 0);
	begin(TATTACH);
	put32(0);
	put32(~0U);
	put_text("");
	put_text("/");
	put32(user);
	CHECK_EQ(call(), 0);
}

static void remove_folder(void *arg)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	CHECK_EQ(system(command), 0);
}

static void write_file(const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	CHECK(file);
	fputs(text, file);
	fclose(file);
}

static void link_to(const char *target, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	CHECK_SYS(symlink(target, path));
}

static void try_namespaces(void *arg)
{
	enter_namespaces();
	_exit(0);
}

static void open_share(bool readonly)
{
	if (access("/usr/sbin/diod", X_OK))
		SKIP("there is no diod here");
	if (ktap_fork(try_namespaces, NULL))
		SKIP("there are no namespaces for this user");
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(folder));
	ktap_defer(remove_folder, NULL);
	write_file("file", "what the folder holds");
	share_open(&share, folder, readonly);
	is_open = true;
	ktap_defer(close_share, NULL);
	attach(geteuid());
}

/* @return the error; 0: @fid is all of @names, separated by spaces */
static uint32_t walk(uint32_t fid, const char *names)
{
	char copy[256], *name, *rest = copy;
	uint16_t count = 0;

	snprintf(copy, sizeof(copy), "%s", names);
	begin(TWALK);
	put32(0);
	put32(fid);
	put(&count, 2);
	while ((name = strsep(&rest, " "))) {
		put_text(name);
		count++;
	}
	memcpy(message + 15, &count, 2);
	if (call())
		return word(7);
	return answer[7] == count ? 0 : ENOENT;
}

/* The last one's number in its file system, of walk()'s answer */
static uint64_t last_qid(void)
{
	uint64_t path;

	memcpy(&path, answer + answer_bytes - 8, 8);
	return path;
}

static uint32_t open_file(uint32_t fid, uint32_t flags)
{
	begin(TLOPEN);
	put32(fid);
	put32(flags);
	return call();
}

static uint32_t create(uint32_t fid, const char *name)
{
	begin(TLCREATE);
	put32(fid);
	put_text(name);
	put32(O_WRONLY | O_CREAT);
	put32(0644);
	put32(getegid());
	return call();
}

static void check_content(uint32_t fid)
{
	const uint64_t offset = 0;

	begin(TREAD);
	put32(fid);
	put(&offset, 8);
	put32(100);
	CHECK_EQ(call(), 0);
	CHECK_EQ(word(7), strlen("what the folder holds"));
	CHECK(!memcmp(answer + 11, "what the folder holds", word(7)));
}

/* ------------------------------------------------------------------ the cases */

static void serves(void)
{
	char path[64];
	struct stat status;

	open_share(false);
	CHECK_EQ(walk(1, "file"), 0);
	CHECK_EQ(open_file(1, O_RDONLY), 0);
	check_content(1);
	begin(TWALK);
	put32(0);
	put32(2);
	put("\0\0", 2);
	CHECK_EQ(call(), 0);
	CHECK_EQ(create(2, "new"), 0);
	snprintf(path, sizeof(path), "%s/new", folder);
	CHECK_SYS(stat(path, &status));
	CHECK_EQ(status.st_uid, geteuid());
	CHECK_NE(walk(3, "nothing"), 0);
}

static void parents(void)
{
	struct stat status;

	open_share(false);
	CHECK_SYS(stat(folder, &status));
	CHECK_EQ(walk(1, ".. .. .."), 0);
	CHECK_EQ(last_qid(), status.st_ino);
	CHECK_NE(walk(2, ".. usr"), 0);
	CHECK_NE(walk(3, ".. .. etc passwd"), 0);
	CHECK_NE(walk(4, "../../etc/passwd"), 0);
	CHECK_EQ(walk(5, ".. file"), 0);
}

static void symlinks(void)
{
	open_share(false);
	link_to("/", "root");
	link_to("../../../..", "up");
	link_to("/etc/passwd", "passwd");
	link_to("/proc/self/root/etc/passwd", "proc");
	link_to("/file", "inside");
	CHECK_NE(walk(1, "root usr"), 0);
	CHECK_NE(walk(2, "root etc passwd"), 0);
	CHECK_NE(walk(3, "up etc passwd"), 0);
	if (!walk(4, "passwd"))
		CHECK_NE(open_file(4, O_RDONLY), 0);
	if (!walk(5, "proc"))
		CHECK_NE(open_file(5, O_RDONLY), 0);
	/* Not because links do not work at all */
	CHECK_EQ(walk(7, "inside"), 0);
	CHECK_EQ(open_file(7, O_RDONLY), 0);
	check_content(7);
}

static void read_only(void)
{
	open_share(true);
	CHECK_EQ(walk(1, "file"), 0);
	CHECK_EQ(open_file(1, O_RDONLY), 0);
	check_content(1);
	CHECK_EQ(walk(2, "file"), 0);
	CHECK_EQ(open_file(2, O_RDWR), EROFS);
	CHECK_EQ(walk(3, ".."), 0);
	CHECK_EQ(create(3, "new"), EROFS);
}

static void be_other(void *arg)
{
	CHECK_SYS(setgid(OTHER_USER));
	CHECK_SYS(setuid(OTHER_USER));
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);	/* as a program that this user has started is */
	share_open(&share, folder, false);
	attach(OTHER_USER);
	begin(TWALK);
	put32(0);
	put32(1);
	put("\0\0", 2);
	CHECK_EQ(call(), 0);
	CHECK_EQ(create(1, "theirs"), 0);
	CHECK_NE(walk(2, ".. usr"), 0);
	share_close(&share);
}

static void unprivileged(void)
{
	char path[64];
	struct stat status;

	if (geteuid())
		SKIP("the other cases have shown it");
	if (access("/usr/sbin/diod", X_OK))
		SKIP("there is no diod here");
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(folder));
	ktap_defer(remove_folder, NULL);
	CHECK_SYS(chown(folder, OTHER_USER, OTHER_USER));
	CHECK_EQ(ktap_fork(be_other, NULL), 0);
	snprintf(path, sizeof(path), "%s/theirs", folder);
	CHECK_SYS(stat(path, &status));
	CHECK_EQ(status.st_uid, OTHER_USER);
	CHECK_EQ(status.st_gid, OTHER_USER);
}

static void no_folder(void *arg)
{
	freopen("/dev/null", "w", stderr);
	share_open(&share, "/no/such/folder", false);
}

static void refuses(void)
{
	int status;

	if (access("/usr/sbin/diod", X_OK))
		SKIP("there is no diod here");
	status = ktap_fork(no_folder, NULL);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), STATUS_CANNOT);
}

static int told[2];

static void be_killed(void *arg)
{
	share_open(&share, "/tmp", true);
	CHECK_EQ(write(told[1], &share.server, sizeof(share.server)), sizeof(share.server));
	raise(SIGKILL);
}

static void dies_with_tpz(void)
{
	int status;
	pid_t pid;

	if (access("/usr/sbin/diod", X_OK))
		SKIP("there is no diod here");
	CHECK_SYS(pipe(told));
	CHECK_SYS(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	status = ktap_fork(be_killed, NULL);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(read(told[0], &pid, sizeof(pid)), sizeof(pid));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) || WIFEXITED(status));
}

static const struct ktap_case cases[] = {
	{ "serves the folder", serves },
	{ "'..' ends at the folder", parents },
	{ "symlinks end at the folder", symlinks },
	{ "a read-only folder", read_only },
	{ "an unprivileged user's server", unprivileged },
	{ "a folder that is not there", refuses },
	{ "the server dies with tpz", dies_with_tpz },
};
KTAP_MAIN(cases)
