// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	arenas "cordon.internal/cordon/internal/arena"
	"cordon.internal/cordon/internal/plan"
)

// Reply is what came back. Words are private, and nobody has judged them; Memory may still change.
type Reply struct {
	Words  []uint64
	Memory []byte // the reply's room: Request.ReplyMax bytes
}

// Result is a decoded reply.
type Result struct {
	Value any   // of the function: nil for void, and for NULL
	Outs  []any // of each of Func.Gives
}

// Offset is where a pointer of the library points to, in an argument: in bytes from its start. None is NULL.
type Offset = int

// decoder is one reply on its way in.
type decoder struct {
	fn       *Func
	hooks    Hooks
	request  *Request
	sent     []byte // the request's bytes, which the other side cannot write
	memory   []byte // the reply's, which it can: copied once
	before   scope  // lengths as they were sent: capacities
	after    scope  // as the call left them
	budget   uint64
	depth    int
	came     [plan.ParamsMax]uint64
	dynamic  bool
	fixed    uint32
	replyMax uint32
}

// Scalar decodes the result of a function of Scalars or Short: a word.
func (fn *Func) Scalar(word uint64) (any, error) {
	kind := fn.Plan.Type(fn.F.Result.Type).Kind
	if kind == plan.Void {
		return nil, nil
	}
	if !Fits(kind, word) {
		return nil, lie(fn.F, "holds a number beyond its type")
	}
	return goScalar(kind, word), nil
}

// Decode judges a reply and makes Go values of it. sent are the request's bytes.
func (fn *Func) Decode(request *Request, sent []byte, reply *Reply, outer *Outer, hooks Hooks) (*Result, error) {
	d := decoder{fn: fn, hooks: hooks, request: request, sent: sent, memory: reply.Memory,
		fixed: request.ReplyFixed, replyMax: request.ReplyMax}
	if len(d.memory) < int(d.replyMax) {
		d.replyMax = uint32(len(d.memory))
	}
	if d.fixed > d.replyMax {
		d.fixed = d.replyMax
	}
	d.budget = budgetOf(len(sent) + int(d.replyMax))
	d.before = scope{p: fn.Plan, f: fn.F, outer: outer, words: request.Words[:], request: sent}
	d.after = d.before
	d.after.replyWords, d.after.came = reply.Words, &d.came
	return d.decode(reply.Words)
}

// budgetOf is the work that so many bytes may cause.
func budgetOf(bytes int) uint64 { return 8*uint64(bytes) + 256<<10 }

func (d *decoder) decode(words []uint64) (*Result, error) {
	f := d.fn.F
	for i := range f.Params {
		if f.Params[i].Passing == plan.PassBytes {
			d.takePointee(i)
		}
	}
	result := &Result{Outs: make([]any, len(d.fn.Gives))}
	if f.Result.OutWord != plan.NoWord {
		var err error
		if result.Value, err = d.result(words[f.Result.OutWord]); err != nil {
			return nil, err
		}
	}
	for n, i := range d.fn.Gives {
		out, err := d.output(i, words)
		if err != nil {
			return nil, err
		}
		result.Outs[n] = out
	}
	return result, nil
}

// copyOut takes bytes of the reply, once: what stands there from now on is nobody's business.
func (d *decoder) copyOut(at, count uint64) []byte {
	copied := make([]byte, count)
	copy(copied, d.memory[at:at+count])
	return copied
}

// takePointee takes an integer that lengths may name out of the reply: nobody looks at it there again.
func (d *decoder) takePointee(i int) {
	param := &d.fn.F.Params[i]
	target := d.fn.Plan.Pointee(param)
	if target == nil {
		return
	}
	at := uint64(replyOf(d.request.Words[param.InWord]))
	if at == 0 || at+uint64(target.Size) > uint64(d.fixed) || d.request.Words[param.InWord]&inArena != 0 {
		return
	}
	d.came[i] = load(target.Kind, d.copyOut(at, uint64(target.Size)))
	d.after.known |= 1 << i
}

func (d *decoder) result(word uint64) (any, error) {
	t := d.fn.Plan.Type(d.fn.F.Result.Type)
	switch {
	case d.fn.F.Result.Passing == plan.PassWord:
		return d.word(t, word)
	case t.Kind == plan.Struct:
		if word>>32 != 1 {
			return nil, lie(d.fn.F, "holds a result that is not there")
		}
		elements, err := d.dynamicElements(t, word, true, false)
		if err != nil {
			return nil, err
		}
		return elements, nil
	}
	return d.dynamicPointer(t, word)
}

// word judges what travels in a word.
func (d *decoder) word(t *plan.Type, word uint64) (any, error) {
	if t.Kind.IsScalar() {
		if !Fits(t.Kind, word) {
			return nil, lie(d.fn.F, "holds a number beyond its type")
		}
		return goScalar(t.Kind, word), nil
	}
	switch t.Kind {
	case plan.Handle:
		return d.handle(t, word), nil
	case plan.Within:
		if word == 0 {
			return nil, nil
		}
		if !d.isWithin(t, word) {
			return nil, lie(d.fn.F, "points outside the argument that it belongs to")
		}
		return Offset(word - 1), nil
	case plan.Token:
		return word, nil
	case plan.Callback:
		if word == 0 {
			return nil, nil
		}
		return word, nil
	}
	return nil, nil
}

func (d *decoder) handle(t *plan.Type, word uint64) any {
	if word == 0 {
		return nil
	}
	return d.hooks.NewHandle(d.fn.Plan, t, word)
}

// isWithin: 0, or an offset + 1 into the argument that the type belongs to.
func (d *decoder) isWithin(t *plan.Type, word uint64) bool {
	if word == 0 {
		return true
	}
	base := &d.fn.F.Params[t.Within]
	if base.Passing != plan.PassBytes || base.InWord == plan.NoWord || d.request.Words[base.InWord] == 0 {
		return word == 1
	}
	return word-1 <= d.sentBytes(d.fn.Plan.Type(base.Type), d.request.Words[base.InWord], &d.before)
}

// sentBytes is how much was sent, or how much room there was: the end of it is as far as a pointer may move.
func (d *decoder) sentBytes(t *plan.Type, place uint64, before *scope) uint64 {
	if place == 0 {
		return 0
	}
	if t.Kind == plan.String {
		room := uint64(0)
		if t.Code != plan.None {
			room = d.sentCount(t, place, before)
		}
		if t.Direction&plan.In != 0 {
			if sent := uint64(len(d.sentText(place))) + 1; sent > room {
				room = sent
			}
		}
		return room
	}
	return d.sentCount(t, place, before) * uint64(d.fn.Plan.Target(t).ElementBytes())
}

func (d *decoder) sentText(place uint64) string {
	text := d.sentFrom(place)
	if len(text) > stringMax {
		text = text[:stringMax]
	}
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	own := string(text)
	if end := strings.IndexByte(own, 0); end >= 0 { // in the arena it may have changed meanwhile
		own = own[:end]
	}
	return own
}

// sentFrom is what was sent from a place on. Of a call it is our own; of a callback the worker's, and may be none. What lies
// in the arena may still change.
func (d *decoder) sentFrom(place uint64) []byte {
	if place&inArena != 0 {
		return d.arenaFrom(place)
	}
	if at := uint64(requestOf(place)); at < uint64(len(d.sent)) {
		return d.sent[at:]
	}
	return nil
}

func (d *decoder) sentCount(t *plan.Type, place uint64, before *scope) uint64 {
	if t.Has(plan.NullEnded) {
		list, count := d.sentFrom(place), uint64(0)
		for len(list) >= 8 && le.Uint64(list) != 0 {
			list, count = list[8:], count+1
		}
		return count
	}
	if t.Code == plan.None {
		return 1
	}
	count, err := before.evaluate(t.Code)
	if err != nil {
		return 0 // it was computed when it was sent
	}
	return count
}

// returnedCount is how many elements are there now, at most room. A negative length means none; one that cannot be
// computed says nothing, and all are taken.
func (d *decoder) returnedCount(t *plan.Type, room uint64, after *scope) uint64 {
	code := t.CodeAfter()
	if code == plan.None {
		return room
	}
	count, err := after.evaluate(code)
	switch {
	case err == plan.ErrNegative:
		return 0
	case err != nil || count > room:
		return room
	}
	return count
}

// output is what came back in parameter i.
func (d *decoder) output(i int, words []uint64) (any, error) {
	param := &d.fn.F.Params[i]
	t := d.fn.Plan.Type(param.Type)
	switch param.Passing {
	case plan.PassWord:
		return d.word(d.fn.Plan.Target(t), words[param.OutWord])
	case plan.PassDynamic:
		return d.dynamicPointer(d.fn.Plan.Target(t), words[param.OutWord])
	}
	place := d.request.Words[param.InWord]
	if place == 0 {
		return nil, nil
	}
	if place&inArena != 0 {
		return d.lentOutput(i, t), nil
	}
	if d.after.known>>i&1 != 0 {
		return goScalar(d.fn.Plan.Target(t).Kind, d.came[i]), nil
	}
	if t.Kind == plan.Struct { // by value: what is behind its pointers comes back
		image := d.sent[requestOf(place) : requestOf(place)+t.Size]
		return d.object(t, image, image, false, &d.before, &d.after, nil, nil)
	}
	return d.sentPointer(t, place, 0, &d.before, &d.after)
}

// lentOutput is an argument that lies in the arena: the caller's own, as much of it as counts now.
func (d *decoder) lentOutput(i int, t *plan.Type) any {
	v := d.request.lent(i)
	if v == nil {
		return nil
	}
	count := d.returnedCount(t, d.sentCount(t, d.request.Words[d.fn.F.Params[i].InWord], &d.before), &d.after)
	if v.Kind == Bytes {
		return v.Bytes[:count:count]
	}
	return reflect.ValueOf(v.Any).Slice(0, int(count)).Interface()
}

// sentPointer makes a value of what a pointer points to that was sent. moved is how far the function has moved it, in
// bytes.
func (d *decoder) sentPointer(t *plan.Type, place, moved uint64, before, after *scope) (any, error) {
	out := t.Direction&plan.Out != 0
	if t.Kind == plan.String {
		return d.sentString(t, place, moved, out, before, after), nil
	}
	p := d.fn.Plan
	target := p.Target(t)
	size := uint64(target.ElementBytes())
	count := d.sentCount(t, place, before)
	if out && moved == 0 {
		count = d.returnedCount(t, count, after)
	}
	if place&inArena != 0 {
		return d.arenaPointer(t, target, place, count)
	}
	var image, request []byte
	if count > offsetMask/size {
		return nil, lie(d.fn.F, "is longer than its request")
	}
	if err := d.charge(count * size); err != nil {
		return nil, err
	}
	if in := uint64(requestOf(place)); in != 0 {
		if in+count*size > uint64(len(d.sent)) {
			return nil, lie(d.fn.F, "is longer than its request")
		}
		request = d.sent[in : in+count*size]
	}
	if out {
		at := uint64(replyOf(place))
		if at == 0 || count*size > uint64(d.fixed)-at {
			return nil, nil
		}
		image = d.copyOut(at, count*size)
	} else {
		image = append([]byte(nil), request...)
	}
	if moved > uint64(len(image)) {
		moved = uint64(len(image))
	}
	single := t.Code == plan.None && !t.Has(plan.NullEnded)
	if isPlain(p, target) {
		return d.plain(target, image[moved-moved%size:], single, t.Has(plan.Text)), nil
	}
	values := make([]any, 0, count)
	for i := uint64(0); i < count; i++ {
		part, sent := image[i*size:(i+1)*size], []byte(nil)
		if request != nil {
			sent = request[i*size : (i+1)*size]
		}
		value, err := d.object(target, part, sent, out, before, after, nil, nil)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	if single && len(values) == 1 {
		return values[0], nil
	}
	return values, nil
}

// arenaFrom is the arena from a place on; none if it lies elsewhere.
func (d *decoder) arenaFrom(place uint64) []byte {
	arena, at := d.hooks.Arena(), place&^inArena
	if len(arena) == 0 {
		return nil
	}
	if base := arenas.Address(arena); at >= base && at-base < uint64(len(arena)) {
		return arena[at-base:]
	}
	return nil
}

// arenaPointer makes a value of what the library points to in the arena, by a copy: it may change at any moment.
func (d *decoder) arenaPointer(t, target *plan.Type, place, count uint64) (any, error) {
	from, size := d.arenaFrom(place), uint64(target.ElementBytes())
	if count > uint64(len(from))/size {
		return nil, lie(d.fn.F, "points outside of the arena")
	}
	if !isPlain(d.fn.Plan, target) {
		return nil, fmt.Errorf("pointers in the arena cannot be followed")
	}
	if err := d.charge(count * size); err != nil {
		return nil, err
	}
	image := append([]byte(nil), from[:count*size]...)
	return d.plain(target, image, t.Code == plan.None && !t.Has(plan.NullEnded), t.Has(plan.Text)), nil
}

// sentString: to its NUL, and of one that went in at least as much as was sent.
func (d *decoder) sentString(t *plan.Type, place, moved uint64, out bool, before, after *scope) any {
	sent := ""
	if t.Direction&plan.In != 0 {
		sent = d.sentText(place)
	}
	text := sent
	if d.charge(uint64(len(sent))) != nil {
		return nil
	}
	if out {
		room := uint64(len(sent)) + 1
		if t.Code != plan.None {
			room = d.sentCount(t, place, before)
		}
		at := uint64(replyOf(place))
		if at == 0 || room == 0 || room > uint64(d.fixed)-at {
			return nil
		}
		most := room
		if t.LengthCode != plan.None && moved == 0 {
			most = d.returnedCount(t, room, after)
		}
		came := d.copyOut(at, most)
		if end := bytes.IndexByte(came, 0); end >= 0 {
			came = came[:end]
		}
		text = string(came)
	}
	if moved > uint64(len(text)) {
		moved = uint64(len(text))
	}
	return text[moved:]
}

// charge pays for bytes that are looked at: nested words may all name the same ones.
func (d *decoder) charge(bytes uint64) error {
	if cost := bytes + align; cost <= d.budget {
		d.budget -= cost
		return nil
	}
	return lie(d.fn.F, "names its bytes too many times")
}
