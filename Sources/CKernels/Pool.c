// Pool: persistent threads, jobs in order, and a barrier that spins a little before it sleeps.
#include "CKernels.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

typedef struct job {
    void (*body)(void *, int32_t);
    void (*done)(void *);
    void *context;
    struct job *next;
} job;

// Alone in its cache line.
typedef struct {
    _Alignas(64) _Atomic int64_t value;
} counter;

struct acuity_pool {
    int32_t threads;
    _Atomic int32_t alive;  // Threads that have not ended; the last frees the pool.
    pthread_mutex_t mutex;
    pthread_cond_t work;     // A job has come, or the pool is released.
    pthread_cond_t release;  // The barrier's generation has changed.
    job *first, *last;       // Under the mutex.
    bool released;           // Under the mutex.
    _Alignas(64) _Atomic int32_t arrived;
    _Alignas(64) _Atomic uint32_t generation;
    counter next[];  // By thread.
};

// Long enough for the usual wait at the end of a strip, short enough not to burn a core that others need.
enum { spins = 4000 };

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void release_all(acuity_pool *pool, uint32_t generation) {
    atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
    for (int32_t i = 0; i < pool->threads; i++) atomic_store_explicit(&pool->next[i].value, 0, memory_order_relaxed);
    pthread_mutex_lock(&pool->mutex);
    atomic_store_explicit(&pool->generation, generation + 1, memory_order_release);
    pthread_cond_broadcast(&pool->release);
    pthread_mutex_unlock(&pool->mutex);
}

/// Returns true on the last thread to arrive, which must call `release_all`; on the others after it has.
static bool arrive(acuity_pool *pool, uint32_t *generation) {
    *generation = atomic_load_explicit(&pool->generation, memory_order_acquire);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) + 1 == pool->threads) return true;
    for (int i = 0; i < spins; i++) {
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) != *generation) return false;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load_explicit(&pool->generation, memory_order_acquire) == *generation)
        pthread_cond_wait(&pool->release, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    return false;
}

void acuity_pool_barrier(acuity_pool *pool) {
    uint32_t generation;
    if (arrive(pool, &generation)) release_all(pool, generation);
}

int64_t acuity_pool_next(acuity_pool *pool, int32_t owner) {
    return atomic_fetch_add_explicit(&pool->next[owner].value, 1, memory_order_relaxed);
}

typedef struct {
    acuity_pool *pool;
    int32_t index;
} start;

static void *work(void *argument) {
    acuity_pool *pool = ((start *)argument)->pool;
    const int32_t index = ((start *)argument)->index;
    free(argument);
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        while (!pool->first && !pool->released) pthread_cond_wait(&pool->work, &pool->mutex);
        job *current = pool->first;
        pthread_mutex_unlock(&pool->mutex);
        if (!current) break;
        current->body(current->context, index);
        uint32_t generation;
        if (arrive(pool, &generation)) {
            pthread_mutex_lock(&pool->mutex);
            pool->first = current->next;
            if (!pool->first) pool->last = NULL;
            pthread_mutex_unlock(&pool->mutex);
            current->done(current->context);
            free(current);
            release_all(pool, generation);
        }
    }
    if (atomic_fetch_sub(&pool->alive, 1) == 1) {
        pthread_mutex_destroy(&pool->mutex);
        pthread_cond_destroy(&pool->work);
        pthread_cond_destroy(&pool->release);
        free(pool);
    }
    return NULL;
}

acuity_pool *acuity_pool_create(int32_t threads) {
    void *memory = NULL;
    if (threads < 1 || posix_memalign(&memory, 64, sizeof(acuity_pool) + (size_t)threads * sizeof(counter))) return NULL;
    acuity_pool *pool = memory;
    *pool = (acuity_pool){.threads = threads, .alive = threads};
    for (int32_t i = 0; i < threads; i++) atomic_init(&pool->next[i].value, 0);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->release, NULL);
    pthread_mutex_lock(&pool->mutex);  // No thread goes on before all are counted.
    int32_t started = 0;
    for (; started < threads; started++) {
        start *argument = malloc(sizeof *argument);
        pthread_t thread;
        if (!argument) break;
        *argument = (start){pool, started};
        if (pthread_create(&thread, NULL, work, argument)) {
            free(argument);
            break;
        }
        pthread_detach(thread);
    }
    pool->threads = started;
    atomic_store(&pool->alive, started);
    pthread_mutex_unlock(&pool->mutex);
    if (started) return pool;
    free(pool);
    return NULL;
}

void acuity_pool_release(acuity_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    pool->released = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

void acuity_pool_submit(acuity_pool *pool, void (*body)(void *, int32_t), void (*done)(void *), void *context) {
    job *added = malloc(sizeof *added);
    if (!added) abort();  // 32 bytes: nothing else would work either.
    *added = (job){body, done, context, NULL};
    pthread_mutex_lock(&pool->mutex);
    if (pool->last) pool->last->next = added;
    else pool->first = added;
    pool->last = added;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

int32_t acuity_pool_threads(const acuity_pool *pool) { return pool->threads; }

const char *acuity_environment(const char *name) { return getenv(name); }

int acuity_processor_count(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 1024 ? 1024 : (int)count;
}

ptrdiff_t acuity_second_level_cache(void) {
#ifdef _SC_LEVEL2_CACHE_SIZE
    return sysconf(_SC_LEVEL2_CACHE_SIZE);
#else
    return 0;
#endif
}

void acuity_keep_freed_memory(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    // Further arenas hold no more than 64 MB in one piece.
    mallopt(M_ARENA_MAX, 1);
#endif
}

int64_t acuity_allocated_bytes(void) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    const struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
#else
    return -1;
#endif
}

double acuity_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
