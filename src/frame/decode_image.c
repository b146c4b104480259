/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/decode.h"

#include <errno.h>

/* One image on its way back to the caller. */
struct image_decoder {
    struct decoder *decoder;
    const uint8_t *request; /* the image as it was sent, places inside; NULL: only room was sent */
    uint8_t *memory;        /* the caller's */
    uint8_t *fresh;         /* private copy of what came back, or NULL: nothing does */
};

static struct sent sent_spot(const struct image_decoder *image, const struct frame_spot *spot)
{
    struct sent sent = {
        .type = spot->type,
        .memory = pointer_at(image->memory + spot->at),
        .before = image->decoder->before,
        .after = image->decoder->after,
    };
    if (image->request && !spot->other) {
        sent.place = word_at(image->request + spot->at);
        sent.before.image = image->request + spot->owner_at;
    }
    sent.before.owner = spot->owner;
    sent.after.owner = spot->owner;
    sent.after.image = image->fresh ? image->fresh + spot->owner_at : sent.before.image;
    return sent;
}

/*
 * What the caller's pointer becomes: NULL, moved on, or left as it is where the callee's lies
 * elsewhere.
 */
static void move_pointer(const struct image_decoder *image, const struct frame_spot *spot,
                         struct sent *sent)
{
    uint64_t word = word_at(image->fresh + spot->at);
    uint8_t *pointer = sent->memory;
    if (word == 0 || sent->place == 0) {
        pointer = NULL;
    } else if (word - 1 <= decode_sent_bytes(image->decoder, sent)) {
        pointer += word - 1;
        sent->moved = word != 1;
    }
    memcpy(image->fresh + spot->at, &pointer, sizeof pointer);
}

/* Members that are no memory of the caller's. */
static int decode_member(const struct image_decoder *image, const struct frame_spot *spot)
{
    uint8_t *member = image->fresh + spot->at;
    uint64_t word = word_at(member);
    void *object = pointer_at(image->memory + spot->at);
    int r = 0;
    switch (spot->type->kind) {
    case CORDON_PLAN_HANDLE:
        r = word_to_object(image->decoder->hooks, image->decoder->plan, spot->type, word, &object,
                           image->decoder->why);
        memcpy(member, &object, sizeof object);
        break;
    case CORDON_PLAN_WITHIN: /* behind a pointer; members of structs are refused by plans */
        /* A place outside is none. */
        put_word(member,
                 decode_is_within(image->decoder, spot->type, word) ? word - 1 : UINT64_MAX);
        break;
    default: /* callbacks stay what the caller made them */
        if (!image->request || spot->other) {
            object = NULL;
        }
        memcpy(member, &object, sizeof object);
        break;
    }
    return r;
}

static int decode_spot(void *context, const struct frame_spot *spot)
{
    const struct image_decoder *image = context;
    if (spot->type->kind != CORDON_PLAN_POINTER && spot->type->kind != CORDON_PLAN_STRING) {
        return image->fresh ? decode_member(image, spot) : 0;
    }
    struct sent sent = sent_spot(image, spot);
    if (image->fresh) {
        move_pointer(image, spot, &sent);
    }
    return decode_sent(image->decoder, &sent);
}

/* Which members of unions are in use, the object that came back tells; the rest of them is zeroed. */
static int decode_image(struct image_decoder *image, const struct cordon_plan_type *target)
{
    const struct image_walk walk = {
        .plan = image->decoder->plan,
        .visit = decode_spot,
        .context = image,
        .image = image->fresh ? image->fresh : image->request,
        .before = image->request,
        .clean = image->fresh,
    };
    return image_walk(&walk, target);
}

int decode_images(struct decoder *decoder, const struct cordon_plan_type *target, uint64_t count,
                  uint64_t place, uint8_t *memory, bool back)
{
    uint32_t in_at = place_request(place);
    uint32_t out_at = place_reply(place);
    uint64_t bytes = count * element_bytes(target);
    if (back && (out_at == 0 || bytes > decoder->request->reply_fixed - out_at)) {
        return 0;
    }
    uint8_t *fresh = NULL;
    if (back) {
        struct decode_write *write = decode_write_copy(decoder, memory, bytes);
        if (!write) {
            return -ENOMEM;
        }
        fresh = write->copy;
        copy_out(fresh, decoder->reply + out_at, bytes);
    }
    int r = 0;
    for (uint64_t i = 0; i < count && r == 0; i++) {
        size_t offset = (size_t)i * target->size;
        struct image_decoder image = {
            .decoder = decoder,
            .request = in_at ? decoder->request_memory + in_at + offset : NULL,
            .memory = memory + offset,
            .fresh = fresh ? fresh + offset : NULL,
        };
        r = image.request || image.fresh ? decode_image(&image, target) : 0;
    }
    return r;
}
