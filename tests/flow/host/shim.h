/* What shim.cpp gives to C programs. */
#ifndef SHIM_H
#define SHIM_H

#include <stdint.h>

void shim_reset(void);
void shim_memory(uint8_t *first, uint64_t base, uint64_t size);
void shim_step(uint32_t cycles);
uint32_t shim_read(uint32_t offset);
void shim_write(uint32_t offset, uint32_t value);
void shim_fault(uint64_t first, uint64_t last);
void shim_hang(uint32_t on);
uint32_t shim_irq(void);
uint64_t shim_cycles(void);
uint64_t shim_stray(void);
uint32_t shim_refused(void);

#endif
