/* SPDX-License-Identifier: Apache-2.0 */

/* libcrypto: digests, MACs and ciphers equal direct calls; contexts are handles; errors queue per session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "libraries/subject.h"

#define BYTES 10000u

static void fill(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(i * 31 + 7);
    }
}

static void test_one_shot_digests_equal_direct_calls(const struct harness *harness)
{
    struct subject crypto = subject_open_interface(harness, "libcrypto.cordon");
    static uint8_t bytes[BYTES];
    uint8_t ours[64], direct[64];
    fill(bytes, sizeof bytes);
    const size_t sizes[] = {0, 1, 55, 56, 64, 1000, BYTES};
    for (size_t i = 0; i < HARNESS_COUNT(sizes); i++) {
        struct cordon_result result = subject_result(
            &crypto, "SHA256", ARGS(cordon_in(bytes, sizes[i]), cordon_out(ours, 32)));
        assert_int_equal(result.value.kind, CORDON_VALUE_UINT);
        assert_int_equal(result.value.u, 0); /* it returns md */
        (void)SHA256(bytes, sizes[i], direct);
        assert_memory_equal(ours, direct, 32);
        subject_void(&crypto, "SHA512", ARGS(cordon_in(bytes, sizes[i]), cordon_out(ours, 64)));
        (void)SHA512(bytes, sizes[i], direct);
        assert_memory_equal(ours, direct, 64);
        subject_void(&crypto, "SHA1", ARGS(cordon_in(bytes, sizes[i]), cordon_out(ours, 20)));
        (void)SHA1(bytes, sizes[i], direct);
        assert_memory_equal(ours, direct, 20);
    }
    subject_close(&crypto);
}

static void test_digest_by_context_equals_direct_calls(const struct harness *harness)
{
    struct subject crypto = subject_open_interface(harness, "libcrypto.cordon");
    static uint8_t bytes[BYTES];
    uint8_t ours[64] = {0}, direct[64];
    unsigned ours_bytes = 0, direct_bytes = 0;
    fill(bytes, sizeof bytes);
    struct cordon_handle sha256 = subject_handle(&crypto, "EVP_sha256", NO_ARGS);
    struct cordon_handle again = subject_handle(&crypto, "EVP_sha256", NO_ARGS);
    assert_memory_equal(&sha256, &again, sizeof sha256);
    struct cordon_handle context = subject_handle(&crypto, "EVP_MD_CTX_new", NO_ARGS);
    assert_int_equal(
        subject_int(&crypto, "EVP_DigestInit_ex",
                    ARGS(cordon_object(context), cordon_object(sha256), cordon_null())),
        1);
    for (size_t at = 0; at < BYTES; at += 1000) {
        assert_int_equal(subject_int(&crypto, "EVP_DigestUpdate",
                                     ARGS(cordon_object(context), cordon_in(bytes + at, 1000))),
                         1);
    }
    assert_int_equal(
        subject_int(&crypto, "EVP_DigestFinal_ex",
                    ARGS(cordon_object(context), cordon_out(ours, 64), cordon_out(&ours_bytes, 1))),
        1);
    subject_void(&crypto, "EVP_MD_CTX_free", ARGS(cordon_object(context)));
    assert_int_equal(EVP_Digest(bytes, BYTES, direct, &direct_bytes, EVP_sha256(), NULL), 1);
    assert_int_equal(ours_bytes, direct_bytes);
    assert_memory_equal(ours, direct, direct_bytes);
    assert_int_equal(subject_int(&crypto, "EVP_MD_get_size", ARGS(cordon_object(sha256))), 32);
    struct cordon_handle by_name =
        subject_handle(&crypto, "EVP_get_digestbyname", ARGS(cordon_string("SHA256")));
    assert_int_equal(subject_int(&crypto, "EVP_MD_get_size", ARGS(cordon_object(by_name))), 32);
    struct cordon_result none =
        subject_result(&crypto, "EVP_get_digestbyname", ARGS(cordon_string("no such digest")));
    assert_int_equal(none.value.kind, CORDON_VALUE_NULL);
    subject_close(&crypto);
}

static void test_mac_and_key_derivation_equal_direct_calls(const struct harness *harness)
{
    struct subject crypto = subject_open_interface(harness, "libcrypto.cordon");
    static const char key[] = "a secret";
    uint8_t bytes[500], ours[64] = {0}, direct[64];
    unsigned ours_bytes = 0, direct_bytes = 0;
    fill(bytes, sizeof bytes);
    struct cordon_handle sha512 = subject_handle(&crypto, "EVP_sha512", NO_ARGS);
    subject_void(&crypto, "HMAC",
                 ARGS(cordon_object(sha512), cordon_in(key, strlen(key)),
                      cordon_in(bytes, sizeof bytes), cordon_out(ours, 64),
                      cordon_out(&ours_bytes, 1)));
    assert_non_null(
        HMAC(EVP_sha512(), key, (int)strlen(key), bytes, sizeof bytes, direct, &direct_bytes));
    assert_int_equal(ours_bytes, direct_bytes);
    assert_memory_equal(ours, direct, direct_bytes);

    assert_int_equal(
        subject_int(&crypto, "PKCS5_PBKDF2_HMAC",
                    ARGS(cordon_in(key, strlen(key)), cordon_in(bytes, 16), cordon_int(100),
                         cordon_object(sha512), cordon_int(40), cordon_out(ours, 40))),
        1);
    assert_int_equal(
        PKCS5_PBKDF2_HMAC(key, (int)strlen(key), bytes, 16, 100, EVP_sha512(), 40, direct), 1);
    assert_memory_equal(ours, direct, 40);
    subject_close(&crypto);
}

static void test_cipher_equals_direct_calls(const struct harness *harness)
{
    struct subject crypto = subject_open_interface(harness, "libcrypto.cordon");
    uint8_t plain[1000], key[32], iv[16], ours[1100] = {0}, direct[1100] = {0}, rest[32];
    int made = 0, last = 0, direct_made = 0, direct_last = 0;
    fill(plain, sizeof plain);
    fill(key, sizeof key);
    fill(iv, sizeof iv);
    struct cordon_handle cipher = subject_handle(&crypto, "EVP_aes_256_cbc", NO_ARGS);
    struct cordon_handle context = subject_handle(&crypto, "EVP_CIPHER_CTX_new", NO_ARGS);
    assert_int_equal(subject_int(&crypto, "EVP_EncryptInit_ex",
                                 ARGS(cordon_object(context), cordon_object(cipher), cordon_null(),
                                      cordon_in(key, 32), cordon_in(iv, 16))),
                     1);
    assert_int_equal(
        subject_int(&crypto, "EVP_EncryptUpdate",
                    ARGS(cordon_object(context), cordon_out(ours, 1032), cordon_out(&made, 1),
                         cordon_in(plain, 1000), cordon_int(1000))),
        1);
    assert_int_equal(
        subject_int(&crypto, "EVP_EncryptFinal_ex",
                    ARGS(cordon_object(context), cordon_out(rest, 32), cordon_out(&last, 1))),
        1);
    memcpy(ours + made, rest, (size_t)last);
    subject_void(&crypto, "EVP_CIPHER_CTX_free", ARGS(cordon_object(context)));

    EVP_CIPHER_CTX *direct_context = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(direct_context, EVP_aes_256_cbc(), NULL, key, iv), 1);
    assert_int_equal(EVP_EncryptUpdate(direct_context, direct, &direct_made, plain, 1000), 1);
    assert_int_equal(EVP_EncryptFinal_ex(direct_context, direct + direct_made, &direct_last), 1);
    EVP_CIPHER_CTX_free(direct_context);
    assert_int_equal(made + last, direct_made + direct_last);
    assert_memory_equal(ours, direct, (size_t)(made + last));
    subject_close(&crypto);
}

/* The error queue belongs to a thread: in a session it behaves as in one. */
static void test_error_queue_stays_with_its_session(const struct harness *harness)
{
    struct subject crypto = subject_open_interface(harness, "libcrypto.cordon");
    struct subject other = {.cell = crypto.cell, .session = harness_session(crypto.cell)};
    uint8_t key[32] = {0};
    struct cordon_handle context = subject_handle(&crypto, "EVP_CIPHER_CTX_new", NO_ARGS);
    /* No cipher was set: an error, and a line in the queue. */
    assert_int_equal(subject_int(&crypto, "EVP_EncryptInit_ex",
                                 ARGS(cordon_object(context), cordon_null(), cordon_null(),
                                      cordon_in(key, 32), cordon_in(key, 16))),
                     0);
    if (harness->level != CORDON_LEVEL_INLINE) {
        assert_int_equal(subject_uint(&other, "ERR_peek_error", NO_ARGS), 0);
    }
    uint64_t error = subject_uint(&crypto, "ERR_peek_error", NO_ARGS);
    assert_int_not_equal(error, 0);
    assert_int_equal(subject_uint(&crypto, "ERR_get_error", NO_ARGS), error);
    assert_int_equal(subject_uint(&crypto, "ERR_get_error", NO_ARGS), 0);
    char ours[256], direct[256];
    subject_void(&crypto, "ERR_error_string_n",
                 ARGS(cordon_uint(error), cordon_out(ours, sizeof ours), cordon_uint(sizeof ours)));
    assert_int_equal(OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL), 1);
    ERR_error_string_n(error, direct, sizeof direct);
    assert_string_equal(ours, direct);
    subject_void(&crypto, "EVP_CIPHER_CTX_free", ARGS(cordon_object(context)));
    cordon_session_close(other.session);
    subject_close(&crypto);
}

static void test_random_bytes_come(const struct harness *harness)
{
    struct subject crypto = subject_open_interface(harness, "libcrypto.cordon");
    uint8_t first[32] = {0}, second[32] = {0};
    assert_int_equal(
        subject_int(&crypto, "RAND_bytes", ARGS(cordon_out(first, 32), cordon_int(32))), 1);
    assert_int_equal(
        subject_int(&crypto, "RAND_bytes", ARGS(cordon_out(second, 32), cordon_int(32))), 1);
    assert_memory_not_equal(first, second, 32);
    subject_close(&crypto);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"one_shot_digests_equal_direct_calls", test_one_shot_digests_equal_direct_calls,
         HARNESS_ALL_LEVELS, HARNESS_LEAVES_FDS, 0},
        {"digest_by_context_equals_direct_calls", test_digest_by_context_equals_direct_calls,
         HARNESS_ALL_LEVELS, HARNESS_LEAVES_FDS, 0},
        {"mac_and_key_derivation_equal_direct_calls",
         test_mac_and_key_derivation_equal_direct_calls, HARNESS_ALL_LEVELS, HARNESS_LEAVES_FDS, 0},
        {"cipher_equals_direct_calls", test_cipher_equals_direct_calls, HARNESS_ALL_LEVELS,
         HARNESS_LEAVES_FDS, 0},
        {"error_queue_stays_with_its_session", test_error_queue_stays_with_its_session,
         HARNESS_ALL_LEVELS, HARNESS_LEAVES_FDS, 0},
        {"random_bytes_come", test_random_bytes_come, HARNESS_ALL_LEVELS, HARNESS_LEAVES_FDS, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
