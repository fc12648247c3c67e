/* Recursions without an end, compiled without stack probes: a frame touches
   its upper end, and its lower end when it calls, nothing between. */

#define RECURSION(name, size)                                \
    __attribute__((noinline)) long name(long depth)          \
    {                                                        \
        volatile char frame[size];                           \
        frame[size - 1] = (char)depth;                       \
        if (depth < 0)                                       \
            return 0;                                        \
        return name(depth + 1) + frame[size - 1];            \
    }

RECURSION(gopark_crash_small, 16)
RECURSION(gopark_crash_pages, 5 * 4096)
/* Nearly the size of the guard. */
RECURSION(gopark_crash_large, 65536 - 64)
