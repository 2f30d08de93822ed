/* Takes the place of the C library's getrandom, for a stage that must play the same seed twice the same (see chance.rs). The hash maps of
   Rust's std and the ThreadRng of rand take their chance from it, once a thread. Every call gives the same bytes: how often others have
   asked before, the crypto library among them, must not matter. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

ssize_t getrandom(void *buffer, size_t length, unsigned flags) {
    unsigned char *bytes = buffer;
    uint64_t state = 0;
    (void)flags;
    for (size_t at = 0; at < length; at++) {
        /* SplitMix64 */
        uint64_t word = state += 0x9E3779B97F4A7C15u;
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
        word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
        bytes[at] = (unsigned char)(word ^ (word >> 31));
    }
    return (ssize_t)length;
}
