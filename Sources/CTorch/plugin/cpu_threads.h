// cpu_threads: loops on several threads of a processor. at::parallel_for would need the compiler's OpenMP, whose runtime is not the one
// in libtorch.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace {

/// While one lives, its thread takes numbers below 1.2e-38 for zero, and so do the threads that libtorch starts meanwhile. The momentum of
/// a channel whose activation never fires decays to such numbers within 2 000 steps, and arithmetic on them is a hundred times slower:
/// measured, four fifths of the time of a step.
class FlushDenormals {
#if defined(__SSE2__)
    const unsigned before = _mm_getcsr();

public:
    FlushDenormals() { _mm_setcsr(before | 0x8040); }  // results (FTZ) and operands (DAZ)
    ~FlushDenormals() { _mm_setcsr(before); }
#else
public:
    FlushDenormals() {}
#endif
    FlushDenormals(const FlushDenormals &) = delete;
    FlushDenormals &operator=(const FlushDenormals &) = delete;
};

/// Threads that wait for work. A step has some three hundred loops, and threads started for each would have to fetch their memory from
/// the system each time.
class Helpers {
    std::mutex turn, mutex;
    std::condition_variable wake, done;
    const std::function<void()> *work = nullptr;
    int started = 0;
    std::atomic<int> wanted{0}, busy{0};
    std::exception_ptr failure;

    /// Looks a while, as long as it takes to wake a thread that sleeps, whether something has come about: the next loop is seldom far off.
    template <typename Condition>
    static void look(Condition condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(60);
        while (!condition() && std::chrono::steady_clock::now() < end) {}
    }

    static bool &isInside() {
        static thread_local bool inside = false;
        return inside;
    }

    void attempt(const std::function<void()> &body) {
        isInside() = true;
        try {
            body();
        } catch (...) {
            std::lock_guard<std::mutex> lock(mutex);
            failure = std::current_exception();
        }
        isInside() = false;
    }

    void wait() {
        FlushDenormals guard;
        std::unique_lock<std::mutex> lock(mutex);
        while (true) {
            lock.unlock();
            look([&] { return wanted > 0; });
            lock.lock();
            wake.wait(lock, [&] { return wanted > 0; });
            wanted--;
            lock.unlock();
            attempt(*work);
            lock.lock();
            if (--busy == 0) done.notify_one();
        }
    }

public:
    /// The process's. Never destroyed, for its threads wait as long as the process lives.
    static Helpers &shared() {
        static Helpers *helpers = new Helpers;
        return *helpers;
    }

    /// Runs `body` here and on `count` helpers at once, or on fewer where there are no more, and returns when all have come back. What one of
    /// them throws is thrown here.
    void run(int count, const std::function<void()> &body) {
        // Who comes from within such a loop, or while another has the helpers, works alone.
        if (count <= 0 || isInside()) return body();
        std::unique_lock<std::mutex> mine(turn, std::try_to_lock);
        if (!mine.owns_lock()) return body();
        {
            std::lock_guard<std::mutex> lock(mutex);
            try {
                for (; started < count; started++) std::thread([this] { wait(); }).detach();
            } catch (const std::system_error &) {
                // No more threads to be had: those that there are do the work.
            }
            work = &body;
            busy = std::min(count, started);
            wanted = busy.load();
            failure = nullptr;
        }
        wake.notify_all();
        attempt(body);
        std::unique_lock<std::mutex> lock(mutex);
        // Those who have not woken up yet are not waited for.
        busy -= wanted;
        wanted = 0;
        lock.unlock();
        look([&] { return busy == 0; });
        lock.lock();
        done.wait(lock, [&] { return busy == 0; });
        if (failure) std::rethrow_exception(failure);
    }
};

/// Runs body(0, memory)…body(count − 1, memory) on that many threads, each with a `Memory` of its own.
template <typename Memory, typename Body>
void inParallel(int64_t count, int threads, Body body) {
    std::atomic<int64_t> next{0};
    Helpers::shared().run(int(std::min<int64_t>(threads, count)) - 1, [&] {
        Memory memory;
        for (int64_t i = next++; i < count; i = next++) body(i, memory);
    });
}

struct Nothing {};

/// Runs body(0)…body(count − 1) on the threads that libtorch may use.
template <typename Body>
void inParallel(int64_t count, Body body) {
    inParallel<Nothing>(count, at::get_num_threads(), [&](int64_t i, Nothing &) { body(i); });
}

/// Runs body(begin, end, share) for as many shares of 0…count as there are threads, but none smaller than `grain`. Returns their number.
template <typename Body>
int64_t inShares(int64_t count, int64_t grain, Body body) {
    const int64_t shares = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), count / grain));
    inParallel(shares, [&](int64_t share) { body(count * share / shares, count * (share + 1) / shares, share); });
    return shares;
}

}  // namespace
