#include "sys/settle.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef POSTHORN_SANITIZED /* their memory is nobody's measure, and theirs alone */
void settle(void) {}
#else

/* One loaded object: its segments that are not writable. What relocation writes (RELRO) lies in writable
 * ones. */
static int settle_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size, (void)arg;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t from = (info->dlpi_addr + h->p_vaddr) & ~(page - 1);
        uintptr_t to = (info->dlpi_addr + h->p_vaddr + h->p_memsz + page - 1) & ~(page - 1);
        if (h->p_type == PT_LOAD && !(h->p_flags & PF_W) && h->p_memsz == h->p_filesz)
            (void)madvise((void *)from, to - from, MADV_DONTNEED); /* advice */
    }
    return 0;
}

void settle(void)
{
    (void)dl_iterate_phdr(settle_object, NULL); /* settle_object() never stops it */
    (void)malloc_trim(0);                       /* whether it gave something back is all the same */
}
#endif
