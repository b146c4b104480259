/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors/vectors.h"

#define CASE(function, arguments, note)                                                            \
    {                                                                                              \
        function, arguments, note, NULL                                                            \
    }

/* Every kind of number at its edges, and what lies just beside them in the word. */
static const struct vectors_case numbers[] = {
    CASE("nothing", "{}", "no words at all"),
    CASE("same_bool", "{\"x\":true}", NULL),
    CASE("same_bool", "{\"x\":false}", NULL),
    CASE("same_i8", "{\"x\":-128}", "sign-extended"),
    CASE("same_i8", "{\"x\":127}", NULL),
    CASE("same_u8", "{\"x\":255}", "zero-extended"),
    CASE("same_u8", "{\"x\":0}", NULL),
    CASE("same_i16", "{\"x\":-32768}", NULL),
    CASE("same_i16", "{\"x\":32767}", NULL),
    CASE("same_u16", "{\"x\":65535}", NULL),
    CASE("same_i32", "{\"x\":-2147483648}", NULL),
    CASE("same_i32", "{\"x\":2147483647}", NULL),
    CASE("same_u32", "{\"x\":4294967295}", NULL),
    CASE("same_i64", "{\"x\":-9223372036854775808}", NULL),
    CASE("same_i64", "{\"x\":9223372036854775807}", NULL),
    CASE("same_i64", "{\"x\":-1}", NULL),
    CASE("same_u64", "{\"x\":18446744073709551615}", NULL),
    CASE("same_u64", "{\"x\":9223372036854775808}", "above what is signed"),
    CASE("same_u64", "{\"x\":9007199254740993}", "no double is that"),
    CASE("same_f32", "{\"x\":0.5}", "32 bits of the word"),
    CASE("same_f32", "{\"x\":-3.4028234663852886e38}", NULL),
    CASE("same_f32", "{\"x\":1e-45}", "the least above 0"),
    CASE("same_f64", "{\"x\":0.1}", NULL),
    CASE("same_f64", "{\"x\":-0.0}", "the sign of zero"),
    CASE("same_f64", "{\"x\":1.7976931348623157e308}", NULL),
    CASE("same_f64", "{\"x\":5e-324}", NULL),
    CASE("same_f64", "{\"x\":\"inf\"}", NULL),
    CASE("same_f64", "{\"x\":\"nan\"}", NULL),
    CASE("same_colour", "{\"x\":\"GREEN\"}", NULL),
    CASE("same_colour", "{\"x\":-1}", "BLUE, by its number"),
    CASE("same_colour", "{\"x\":77}", "no enumerator: the number"),
    CASE("same_token", "{\"context\":1311768467463790320}", "a number to everybody"),
    CASE("same_token", "{}", "NULL"),
    CASE(
        "zigzag",
        "{\"a\":9000000000,\"b\":-1,\"c\":65535,\"d\":-70000,\"e\":200,\"f\":-300,\"g\":4000000000,"
        "\"h\":5}",
        "eight words: a frame in memory, without bytes"),
    CASE("halves", "{\"x\":81985529216486895}", "outputs that are words of the reply"),
    CASE("bump", "{\"n\":41}", "inout, a word each way"),
    CASE("bump_if", "{\"n\":41}", "nullable: bytes, in and out"),
    CASE("bump_if", "{\"n\":null}", "NULL: a place of 0"),
    CASE("fail", "{\"error\":2}", "errno stands beside the reply"),
    CASE("fail", "{\"error\":0}", NULL),
    {NULL, NULL, NULL, NULL},
};

static const struct vectors_case texts[] = {
    CASE("length_of", "{\"s\":\"hello\"}", NULL),
    CASE("length_of", "{\"s\":\"\"}", "only its NUL"),
    CASE("length_of", "{\"s\":\"gr\\u00fc\\u00df dich \\ud83d\\ude00\"}", "bytes of UTF-8"),
    CASE("length_of", "{\"s\":{\"base64\":\"/4A=\"}}", "bytes that are no UTF-8"),
    CASE("length_if", "{\"s\":null}", NULL),
    CASE("length_if", "{\"s\":\"abc\"}", NULL),
    CASE("name_of", "{\"n\":2}", "DYNAMIC: offset and length"),
    CASE("name_of", "{\"n\":3}", "NULL"),
    CASE("twice", "{\"s\":\"ab\"}", "owned: freed by the worker, copied before"),
    CASE("twice", "{\"s\":\"\"}", "an empty text is not NULL"),
    CASE("greet", "{\"room\":32,\"name\":\"world\"}", "counts to its NUL"),
    CASE("greet", "{\"room\":8,\"name\":\"world\"}", "cut by the function at its room"),
    CASE("shout", "{\"text\":\"loud\"}", NULL),
    CASE("find", "{\"s\":\"hello\",\"c\":108}", "an offset + 1"),
    CASE("find", "{\"s\":\"hello\",\"c\":120}", "NULL"),
    CASE("find", "{\"s\":\"hello\",\"c\":0}", "the end"),
    CASE("number", "{\"s\":\"-42 apples\"}", "a pointer into the argument, as an output"),
    CASE("split_owned", "{\"s\":\"copy\"}", NULL),
    CASE("split_owned", "{\"s\":\"\"}", "the function gave NULL"),
    {NULL, NULL, NULL, NULL},
};

static const struct vectors_case arrays[] = {
    CASE("sum", "{\"data\":\"hello\"}", "len is filled in"),
    CASE("sum", "{\"data\":{\"base64\":\"\"}}", "no elements: a place all the same"),
    CASE("sum", "{\"data\":{\"hex\":\"00ff80\"}}", NULL),
    CASE("sum_if", "{\"data\":null}", "NULL, and a length of 0"),
    CASE("sum_if", "{\"data\":\"a\"}", NULL),
    CASE("reverse", "{\"data\":{\"hex\":\"0102030405\"}}", "inout"),
    CASE("fill", "{\"len\":20,\"with\":171}", "out: nothing goes in but the place"),
    CASE("fill", "{\"len\":0,\"with\":1}", NULL),
    CASE("total_i8", "{\"v\":[-128,127,-1]}", NULL),
    CASE("total_i16", "{\"v\":[-32768,32767,5]}", NULL),
    CASE("total_i32", "{\"v\":[-2147483648,1]}", NULL),
    CASE("total_i64", "{\"v\":[-9223372036854775808,9223372036854775807]}", NULL),
    CASE("mean", "{\"v\":[1,2.5,-0.5]}", NULL),
    CASE("mean_f32", "{\"v\":[0.25,0.75]}", NULL),
    CASE("count_true", "{\"v\":[true,false,true]}", NULL),
    CASE("doubled", "{\"v\":[1,-2,1073741823]}", NULL),
    CASE("total_lengths", "{\"texts\":[\"a\",\"bc\",\"\"]}",
         "pointers are places in memory that goes in"),
    CASE("total_lengths", "{\"texts\":[\"a\",null]}", NULL),
    CASE("total_lengths_ended", "{\"texts\":[\"a\",\"bc\"]}", "one word of 0 behind the last"),
    CASE("total_lengths_ended", "{\"texts\":[]}", NULL),
    {NULL, NULL, NULL, NULL},
};

static const struct vectors_case lengths[] = {
    CASE("paint", "{\"width\":3,\"height\":2,\"grey\":9}", "width * height * 4"),
    CASE("paint", "{\"width\":0,\"height\":2,\"grey\":9}", NULL),
    CASE("stretch", "{\"room\":10,\"data\":\"abc\"}",
         "the length afterwards is less than the room"),
    CASE("stretch", "{\"room\":5,\"data\":\"abc\"}",
         "refused by the function: all of the room counts"),
    CASE("evens", "{\"most\":8,\"limit\":5}", "the result is the length"),
    CASE("evens", "{\"most\":2,\"limit\":50}", NULL),
    CASE("sevens", "{\"n\":3}", "memory of the library, as many as the output says"),
    CASE("sevens", "{\"n\":0}", "NULL"),
    CASE("dot", "{\"a\":[1,2,3],\"b\":[4,5,6]}", "one length, two arrays"),
    {NULL, NULL, NULL, NULL},
};

static const struct vectors_case structs[] = {
    CASE("moved", "{\"p\":{\"x\":1,\"y\":0.5},\"by\":2}",
         "by value, both ways; what lies between members is 0"),
    CASE("area",
         "{\"l\":{\"from\":{\"x\":0,\"y\":0},\"to\":{\"x\":4,\"y\":2.5},\"colour\":[1,2,3,4]}}",
         "structs and an array inside"),
    CASE("widen",
         "{\"l\":{\"from\":{\"x\":0,\"y\":0},\"to\":{\"x\":4,\"y\":2.5},\"colour\":[1,2,3,4]},"
         "\"by\":"
         "1}",
         NULL),
    CASE("padding", "{\"p\":{\"a\":-5,\"b\":1234567890123,\"c\":true,\"d\":-2,\"e\":[1,2,3]}}",
         NULL),
    CASE("scaled", "{\"w\":{\"v\":[1,2,3,4]},\"by\":0.5}", "too large for registers"),
    CASE("swap", "{\"from\":{\"first\":1,\"second\":-2}}", "a struct that only comes back"),
    CASE("total_points", "{\"p\":[{\"x\":1,\"y\":2},{\"x\":3,\"y\":4.5}]}", NULL),
    CASE("grid", "{\"n\":3}", NULL),
    CASE("total_batch", "{\"b\":{\"values\":[1,2,3],\"label\":\"four\"}}",
         "pointers in a struct; its count is filled in"),
    CASE("total_batch", "{\"b\":{\"values\":[],\"label\":null}}", NULL),
    CASE("value_of", "{\"t\":{\"kind\":1,\"u\":{\"i\":-7}}}", "one member of a union"),
    CASE("value_of", "{\"t\":{\"kind\":2,\"u\":{\"d\":2.5}}}", NULL),
    CASE("value_of", "{\"t\":{\"kind\":0,\"u\":null}}", "a case without a member"),
    CASE("next_kind", "{\"t\":{\"kind\":1,\"u\":{\"i\":-7}}}",
         "comes back as another member than was sent"),
    {NULL, NULL, NULL, NULL},
};

/* These follow one another on one worker. */
static const struct vectors_case handles[] = {
    CASE("box_new", "{\"content\":42}", "the first handle: generation 1, index 0"),
    CASE("box_content", "{\"box\":\"h:1.0\"}", "the handle's word"),
    CASE("box_open", "{\"content\":7}", "an output, in a word"),
    CASE("box_content", "{\"box\":\"h:1.1\"}", NULL),
    CASE("box_open", "{\"content\":-1}", "the function gave NULL"),
    CASE("box_none", "{}", "NULL"),
    CASE("box_free", "{\"box\":\"h:1.0\"}", "ends the handle"),
    CASE("box_new", "{\"content\":43}", "an index may come again, with another generation"),
    {NULL, NULL, NULL, NULL},
};

static const struct vectors_case callbacks[] = {
    {"sort", "{\"v\":[3,1,2],\"compare\":{\"callback\":1}}",
     "pointers to one number are words; answers: a - b", &vectors_sort},
    {"each", "{\"n\":4,\"visit\":{\"callback\":1},\"context\":99}",
     "text (NULL at last), a token; answers: index + context", &vectors_each},
    {"each", "{\"n\":2,\"visit\":{\"callback\":1},\"context\":null}",
     "the host's side fails: the declared value", &vectors_each_failing},
    {"drain", "{\"read\":{\"callback\":1}}", "bytes in the answer: 3, then 2, then none",
     &vectors_drain},
    {"drain", "{\"read\":{\"callback\":1}}", "none at once", &vectors_drain_nothing},
    {NULL, NULL, NULL, NULL},
};

static const struct vectors_case variadics[] = {
    CASE("format", "{\"room\":64,\"format\":\"plain\"}", "no arguments: a count of 0"),
    CASE("format", "{\"room\":64,\"format\":\"%d %s %g\",\"...\":[-5,\"text\",0.5]}",
         "int, string, double"),
    CASE("format",
         "{\"room\":64,\"format\":\"%ld %lu\",\"...\":[-9223372036854775808,18446744073709551615]}",
         "long, unsigned long"),
    CASE("format", "{\"room\":6,\"format\":\"%s\",\"...\":[\"longer than room\"]}",
         "the result says how long it would be"),
    {NULL, NULL, NULL, NULL},
};

const struct vectors_file vectors_files[] = {
    {"numbers", "Numbers, enums, tokens, NULL, errno", numbers},
    {"texts", "Strings in, out, owned; pointers into an argument", texts},
    {"arrays", "Arrays of each element, in, out and both; NULL; arrays of pointers", arrays},
    {"lengths", "Lengths by expression, by output, by result", lengths},
    {"structs", "Structs by value and by pointer, padding, nested, with pointers; unions", structs},
    {"handles", "Objects that stay in the worker; the cases follow one another", handles},
    {"callbacks", "Conversations", callbacks},
    {"variadics", "Arguments typed at the call", variadics},
    {NULL, NULL, NULL},
};
