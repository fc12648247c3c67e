/* What a sanitizer brings along, as far as a wrapper of pthread_create asks for it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static atomic_int seen;

void __asan_init(void) {}

int __interceptor_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                 void *(*body)(void *), void *argument) {
    create *next = (create *)dlsym(RTLD_NEXT, "pthread_create");
    atomic_fetch_add(&seen, 1);
    return next(thread, attributes, body, argument);
}

int gopark_test_threads_seen(void) {
    return atomic_load(&seen);
}
