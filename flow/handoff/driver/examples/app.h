/* The application of the examples: the same for bare metal, Linux and simulation, which differ in their main alone. */
#ifndef APP_H
#define APP_H

#include "reprise_image.h"

/* Run the network of image.h on the batch of samples.h, several times, and compare its class scores.
 *
 * dev       : how to reach the accelerator, with the hooks that the platform has
 * constants : memory.bin
 * memory    : where the program sees the memory that the accelerator uses, of `bytes` bytes
 * base      : the physical address of the same memory
 * print     : takes a line of text
 *
 * Returns 0 if all is well. */
int app(struct reprise *dev, const unsigned char *constants, volatile unsigned char *memory, uint64_t base,
        uint64_t bytes, void (*print)(const char *line));

#endif
