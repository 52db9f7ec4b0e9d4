/* What Debian's libstdc++, which is made for glibc, wants of a C library beyond what musl has: only so much that it loads
 * and throws exceptions. Alpine's own libstdc++ needs none of it; Debian has no such one, and so a file for musl is run here
 * with this library loaded before. */
#include <stddef.h>
#include <stdint.h>

char __libc_single_threaded = 0;

/* What libgcc_s asks about the processor: nothing special. */
unsigned __cpu_model[4];
int __cpu_indicator_init(void) { return 0; }

long getrandom(void *bytes, size_t length, unsigned flags);

unsigned arc4random(void) {
  unsigned value = 0;
  getrandom(&value, sizeof value, 0);
  return value;
}

unsigned long getauxval(unsigned long kind);
unsigned long __getauxval(unsigned long kind) { return getauxval(kind); }

struct tm;
size_t strftime_l(char *text, size_t most, const char *form, const struct tm *time, void *locale);

size_t __strftime_l(char *text, size_t most, const char *form, const struct tm *time, void *locale) {
  return strftime_l(text, most, form, time, locale);
}

/* Threads that end leave what they would have destroyed; no test ends so many that it matters. */
int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library) {
  (void)destroy, (void)object, (void)library;
  return 0;
}

/* The loaded object around an address, and its table for unwinding: struct dl_find_object of glibc 2.35. */
struct found {
  unsigned long long flags;
  void *start, *end;
  void *map;
  void *frames;
  unsigned long long reserved[7];
};

struct part {
  uint32_t type, flags;
  uintptr_t offset, address, physical, in_file, in_memory, alignment;
};

struct object {
  uintptr_t address;
  const char *name;
  const struct part *parts;
  uint16_t count;
};

int dl_iterate_phdr(int (*look)(struct object *, size_t, void *), void *given);

enum { PT_LOAD = 1, PT_GNU_EH_FRAME = 0x6474e550 };

struct search {
  uintptr_t address;
  struct found *found;
};

static int look(struct object *object, size_t size, void *given) {
  struct search *search = given;
  uintptr_t start = UINTPTR_MAX, end = 0, frames = 0;
  int holds = 0;
  (void)size;
  for (int i = 0; i < object->count; i++) {
    const struct part *part = &object->parts[i];
    uintptr_t from = object->address + part->address, to = from + part->in_memory;
    if (part->type == PT_GNU_EH_FRAME) frames = from;
    if (part->type != PT_LOAD) continue;
    if (from < start) start = from;
    if (to > end) end = to;
    holds |= search->address >= from && search->address < to;
  }
  if (!holds || frames == 0) return 0;
  search->found->start = (void *)start;
  search->found->end = (void *)end;
  search->found->frames = (void *)frames;
  return 1;
}

int _dl_find_object(void *address, struct found *found) {
  struct search search = {(uintptr_t)address, found};
  found->flags = 0;
  found->map = 0;
  return dl_iterate_phdr(look, &search) == 1 ? 0 : -1;
}
