# Turns: what is done in the order of the file, by one hand after the other.  The compiled twin of those in plain_belt.py.
#
# A turn is a lock of Python's, which is there on every platform and needs no interpreter.  Nothing is added in place to
# a field of an object, here and in the two rooms behind: with Cython's checks on, that asks for the interpreter.

from cpython.exc cimport PyErr_CheckSignals
from cpython.pythread cimport (
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)

cdef extern from "pythread.h":
    enum:
        PY_LOCK_ACQUIRED
        PY_LOCK_INTR

    int PyThread_acquire_lock_timed(PyThread_type_lock lock, long long microseconds, int intr_flag) nogil

cdef extern from *:
    """
    /* A flag and a count that one thread changes while others look.  What they guard is guarded by a lock as well. */
    #if defined(_MSC_VER)
    #include <intrin.h>
    #define BELT_LOOK(at) (*(volatile int*) &(at))
    #define BELT_SET(at, value) (*(volatile int*) &(at) = (value))
    #define BELT_COUNT(at) ((void) _InterlockedIncrement((volatile long*) &(at)))
    #else
    #define BELT_LOOK(at) __atomic_load_n(&(at), __ATOMIC_RELAXED)
    #define BELT_SET(at, value) __atomic_store_n(&(at), (value), __ATOMIC_RELAXED)
    #define BELT_COUNT(at) ((void) __atomic_add_fetch(&(at), 1, __ATOMIC_RELAXED))
    #endif
    /* Leaves the memory and the other half of the core alone for a moment. */
    #if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    #define BELT_PAUSE() __builtin_ia32_pause()
    #elif defined(__GNUC__) && defined(__aarch64__)
    #define BELT_PAUSE() __asm__ volatile("isb" ::: "memory")
    #else
    #define BELT_PAUSE() ((void) 0)
    #endif
    """
    int look "BELT_LOOK"(int at) noexcept nogil
    void set_to "BELT_SET"(int at, int value) noexcept nogil
    void count_one "BELT_COUNT"(int at) noexcept nogil
    void pause "BELT_PAUSE"() noexcept nogil

cdef enum:
    MOST_HANDS = 8
    LOOKS = 2000  # before a wait that sleeps: some 50 µs, what falling asleep and being woken take


cdef class Turns:
    """One after the other, and then the first again.  Who waits looks for a while before it sleeps, if it may.

    Of one turn alone: whoever comes first, and then the next.
    """

    cdef PyThread_type_lock tokens[MOST_HANDS]
    cdef int given[MOST_HANDS]  # how many times, told behind each; nothing is done but at a token
    cdef int used[MOST_HANDS]
    cdef int count, looks

    def __cinit__(self, int count, bint is_looking=False):
        cdef int i
        if not 1 <= count <= MOST_HANDS:
            raise ValueError("so many hands there are not")
        self.looks = LOOKS if is_looking else 0
        for i in range(count):
            self.tokens[i] = PyThread_allocate_lock()
            if self.tokens[i] == NULL:
                raise MemoryError
            self.count = i + 1
            if i > 0:
                PyThread_acquire_lock_timed(self.tokens[i], 0, False)
        self.given[0] = 1

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            PyThread_free_lock(self.tokens[i])

    def wait_for(self, int index):
        self.check(index)
        with nogil:
            self.wait(index)

    def comes(self, int index, int64_t microseconds):
        """Whether it comes within that time, or is there."""
        cdef int found
        self.check(index)
        with nogil:
            found = PyThread_acquire_lock_timed(self.tokens[index], microseconds, True)
        if found == PY_LOCK_ACQUIRED:
            count_one(self.used[index])
        return found == PY_LOCK_ACQUIRED

    def pass_on(self, int index):
        self.check(index)
        self.give_next(index)

    def give(self, int index):
        self.check(index)
        self.give_to(index)

    cdef int check(self, int index) except -1:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return 0

    cdef int wait(self, int index) except -1 nogil:
        cdef int i
        for i in range(self.looks):
            if look(self.given[index]) != look(self.used[index]):
                break
            pause()
        while PyThread_acquire_lock_timed(self.tokens[index], -1, True) == PY_LOCK_INTR:
            with gil:
                PyErr_CheckSignals()
        count_one(self.used[index])
        return 0

    cdef void give_next(self, int index) noexcept nogil:
        self.give_to((index + 1) % self.count)

    cdef void give_to(self, int index) noexcept nogil:
        PyThread_release_lock(self.tokens[index])
        count_one(self.given[index])
