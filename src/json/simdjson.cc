/* SPDX-License-Identifier: Apache-2.0 */
#include "json/reader.h"

#include <new>

#include <simdjson.h>

/*
 * The one piece of C++: simdjson writes its tape, everything else reads it in C. No exceptions, no RTTI;
 * memory by nothrow new.
 */

using simdjson::dom::parser;

extern "C" int reader_parse(void **parser_at, const char *text, size_t length, size_t capacity,
                            uint32_t nesting_max, uint64_t **ret_tape, const uint8_t **ret_strings)
{
    parser *reader = static_cast<parser *>(*parser_at);
    if (reader == nullptr) {
        reader = new (std::nothrow) parser();
        if (reader == nullptr) {
            return READER_NO_MEMORY;
        }
        *parser_at = reader;
    }
    /* Its depth counts the document itself as well. */
    if (reader->capacity() < length || reader->max_depth() != nesting_max + 1) {
        size_t room = capacity > reader->capacity() ? capacity : reader->capacity();
        if (reader->allocate(room, nesting_max + 1) != simdjson::SUCCESS) {
            return READER_NO_MEMORY;
        }
    }
    switch (reader->parse(text, length, false).error()) {
    case simdjson::SUCCESS:
        *ret_tape = reader->doc.tape.get();
        *ret_strings = reader->doc.string_buf.get();
        return READER_DONE;
    case simdjson::MEMALLOC:
    case simdjson::CAPACITY:
        return READER_NO_MEMORY;
    case simdjson::DEPTH_ERROR:
        return READER_TOO_DEEP;
    default:
        return READER_MALFORMED;
    }
}

extern "C" size_t reader_capacity(const void *reader)
{
    return reader == nullptr ? 0 : static_cast<const parser *>(reader)->capacity();
}

extern "C" void reader_free(void *reader)
{
    delete static_cast<parser *>(reader);
}
