# SPDX-License-Identifier: GPL-2.0
# The AML of the ACPI tables as C arrays: $(AML)/NAME.hex from NAME.asl here. The including Makefile sets TOP and AML.

AML_FILES := $(patsubst $(TOP)/tools/tpz/boot/%.asl,$(AML)/%.hex,$(wildcard $(TOP)/tools/tpz/boot/*.asl))

$(AML)/%.hex: $(TOP)/tools/tpz/boot/%.asl $(wildcard $(TOP)/tools/devices/*_layout.h)
	@command -v iasl >/dev/null || { echo 'the ACPI tables need iasl: apt-get install acpica-tools'; exit 1; }
	@mkdir -p $(@D); echo "  IASL    $(@:$(TOP)/%=%)"
	@$(CC) -E -P -undef -x assembler-with-cpp -I$(TOP)/tools $< -o $(AML)/$*.i
	@iasl -we -vs -p $(AML)/$* -tc $(AML)/$*.i >$(AML)/$*.log 2>&1 || { cat $(AML)/$*.log; rm -f $@; exit 1; }
.SECONDARY: $(AML_FILES)
