/* memory.bin as the C array reprise_image_data, for programs without files. Run the assembler with -I and the folder of
 * memory.bin. */
    .section .rodata
    .balign 8
    .global reprise_image_data
reprise_image_data:
    .incbin "memory.bin"

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
