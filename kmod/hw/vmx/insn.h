/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMX instructions. Each survives a CPU that left VMX operation meanwhile (reboot, crash): #UD is then a
 * failure like any other.
 */
#ifndef TPZ_VMX_INSN_H
#define TPZ_VMX_INSN_H

#include <linux/types.h>
#include <asm/asm.h>
#include "vmcs.h"

/* Cold: prints the field and the instruction error, unless the machine is going down */
void vmx_read_failed(u32 field);
void vmx_write_failed(u32 field, u64 value);

/**
 * vmcs_read() - a field of the current VMCS (SDM vol. 3C, 30.3 "VMREAD")
 * Return: its value, zero-extended; 0 if the read failed. Context: a VMCS is current; interrupts off or loaded.
 */
static __always_inline u64 vmcs_read(u32 field)
{
	u64 value = 0;
	u8 failed = 1;

	asm volatile("1:	vmread %[field], %[value]\n"
		     "	setna %[failed]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [value] "+r" (value), [failed] "+q" (failed)
		     : [field] "r" ((u64)field)
		     : "cc");
	if (unlikely(failed))
		vmx_read_failed(field);
	return value;
}

/**
 * vmcs_write() - set a field of the current VMCS (SDM vol. 3C, 30.3 "VMWRITE")
 */
static __always_inline void vmcs_write(u32 field, u64 value)
{
	u8 failed = 1;

	asm volatile("1:	vmwrite %[value], %[field]\n"
		     "	setna %[failed]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [failed] "+q" (failed)
		     : [field] "r" ((u64)field), [value] "rm" (value)
		     : "cc");
	if (unlikely(failed))
		vmx_write_failed(field, value);
}

/* VMXON, VMCLEAR, VMPTRLD take the physical address of a region from memory. Return: 0 or -EIO */
#define VMX_INSN_PA(name, mnemonic)					\
static __always_inline int name(u64 pa)					\
{									\
	u8 failed = 1;							\
									\
	asm volatile("1:	" mnemonic " %[pa]\n"			\
		     "	setna %[failed]\n"				\
		     "2:\n"						\
		     _ASM_EXTABLE(1b, 2b)				\
		     : [failed] "+q" (failed)				\
		     : [pa] "m" (pa)					\
		     : "cc", "memory");					\
	return unlikely(failed) ? -EIO : 0;				\
}

VMX_INSN_PA(vmx_vmxon, "vmxon")
VMX_INSN_PA(vmx_vmclear, "vmclear")
VMX_INSN_PA(vmx_vmptrld, "vmptrld")

static __always_inline void vmx_vmxoff(void)
{
	asm volatile("1:	vmxoff\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "cc", "memory");
}

static __always_inline void vmx_invept(u64 type, u64 eptp)
{
	struct { u64 eptp, zero; } descriptor = { eptp, 0 };

	asm volatile("1:	invept %[descriptor], %[type]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : [descriptor] "m" (descriptor), [type] "r" (type)
		     : "cc", "memory");
}

static __always_inline void vmx_invvpid(u64 type, u16 vpid)
{
	struct { u64 vpid, address; } descriptor = { vpid, 0 };

	asm volatile("1:	invvpid %[descriptor], %[type]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : [descriptor] "m" (descriptor), [type] "r" (type)
		     : "cc", "memory");
}

#endif /* TPZ_VMX_INSN_H */
