// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"

	"cordon.internal/cordon/internal/plan"
)

// Answer encodes what the function returned and what it has made of the arguments: words, and bytes in memory, of which
// it says how many.
func (in *Incoming) Answer(result any, memory []byte, hooks Hooks) (words [plan.WordsMax]uint64, bytes uint32, err error) {
	fn := in.fn
	e := encoder{fn: fn, space: &Space{Hooks: hooks}}
	structResult := fn.F.Result.OutWord != plan.NoWord && fn.F.Result.Passing != plan.PassWord
	if fn.F.Result.OutWord != plan.NoWord && !structResult {
		if words[fn.F.Result.OutWord], err = e.answerWord(fn.Plan.Type(fn.F.Result.Type), result); err != nil {
			return words, 0, fmt.Errorf("its result: %w", err)
		}
	}
	if uint64(in.replyFixed) > uint64(len(memory)) {
		return words, 0, fmt.Errorf("its answer of %d bytes: %w", in.replyFixed, ErrTooLarge)
	}
	zero(memory[:in.replyFixed])
	travels := false // bytes do
	for i := range in.Args {
		arg := &in.Args[i]
		if !arg.Back {
			continue
		}
		if arg.param.Passing == plan.PassWord {
			words[arg.param.OutWord], err = e.answerWord(fn.Plan.Target(arg.t), arg.Value)
		} else {
			travels = travels || arg.room == nil
			err = in.answerBytes(&e, arg, memory)
		}
		if err != nil {
			return words, 0, fmt.Errorf("parameter '%s': %w", arg.param.Name, err)
		}
	}
	bytes = in.replyFixed
	if structResult {
		travels = true
		if words[fn.F.Result.OutWord], bytes, err = in.answerStruct(&e, result, memory); err != nil {
			return words, 0, fmt.Errorf("its result: %w", err)
		}
	}
	if fn.F.OutWords > plan.MailboxWords {
		travels = true
		for i := 0; i < fn.F.OutWords; i++ {
			le.PutUint64(memory[8*i:], words[i])
		}
	}
	if !travels {
		return words, 0, nil
	}
	return words, bytes, nil
}

// answerStruct lays out a struct that is returned, behind all else.
func (in *Incoming) answerStruct(e *encoder, result any, memory []byte) (word uint64, end uint32, err error) {
	t := in.fn.Plan.Type(in.fn.F.Result.Type)
	at := roundUp(in.replyFixed)
	if uint64(at)+uint64(t.Size) > uint64(len(memory)) || uint64(at)+uint64(t.Size) > uint64(in.replyMax) {
		return 0, 0, fmt.Errorf("a struct of %d bytes: %w", t.Size, ErrTooLarge)
	}
	zero(memory[in.replyFixed:at])
	image := make([]byte, t.Size)
	if err := e.plainImage(t, result, image); err != nil {
		return 0, 0, err
	}
	copy(memory[at:], image)
	return 1<<32 | uint64(at), at + t.Size, nil
}

func (e *encoder) answerWord(t *plan.Type, value any) (uint64, error) {
	v := ValueOf(value)
	if t.Kind.IsScalar() {
		if word, ok := v.Scalar(t.Kind); ok {
			return word, nil
		}
		return 0, fmt.Errorf("is %s; %s", v.describe(), rangeText(t.Kind))
	}
	nullable := *t
	nullable.Flags |= plan.Nullable
	switch t.Kind {
	case plan.Handle:
		return e.space.Hooks.HandleWord(e.fn.Plan, &nullable, v.Any)
	case plan.Token, plan.Within:
		if v.Kind == Nil {
			return 0, nil
		}
		if v.Kind == Int || v.Kind == Uint {
			if t.Kind == plan.Within {
				return v.Word + 1, nil
			}
			return v.Word, nil
		}
	}
	return 0, fmt.Errorf("is %s, but must be a %v", v.describe(), t.Kind)
}

func (in *Incoming) answerBytes(e *encoder, arg *Arg, memory []byte) error {
	target := e.fn.Plan.Target(arg.t)
	size := uint64(target.ElementBytes())
	var to []byte
	if arg.room != nil {
		to = arg.room[:arg.count*size]
	} else {
		to = memory[replyOf(arg.place) : uint64(replyOf(arg.place))+arg.count*size]
	}
	v := ValueOf(arg.Value)
	if source, element := elementsOf(e.fn.Plan, target, &v); element != 0 {
		copy(to, source)
		return nil
	}
	count, err := e.countOf(target, &v)
	if err != nil {
		return err
	}
	if count > arg.count {
		count = arg.count
	}
	var sent []byte
	if from := uint64(requestOf(arg.place)); arg.room == nil && from != 0 {
		sent = in.sent[from : from+arg.count*size]
	}
	return e.each(&v, count, func(i uint64, element any) error {
		image, was := make([]byte, size), []byte(nil)
		if sent != nil {
			was = sent[i*size : (i+1)*size]
		}
		if err := e.answerObject(target, element, was, image); err != nil {
			return err
		}
		copy(to[i*size:], image)
		return nil
	})
}

// answerObject encodes what a callback has made of an object. Its pointers stay as they are: sent tells which there were.
func (e *encoder) answerObject(t *plan.Type, value any, sent, image []byte) error {
	const stays = ^uint64(0)
	if isPlain(e.fn.Plan, t) {
		return e.plainImage(t, value, image)
	}
	switch t.Kind {
	case plan.Struct:
		v := ValueOf(value)
		members, isStruct := membersOf(&v)
		if !isStruct {
			return fmt.Errorf("is %s, but must be a struct or a map", v.describe())
		}
		fields := e.fn.Plan.FieldsOf(t)
		for i := range fields {
			ft := e.fn.Plan.Type(fields[i].Type)
			from, to := fields[i].Offset, fields[i].Offset+ft.Size
			member, given := members.get(fields[i].Name)
			if !given && isPlain(e.fn.Plan, ft) { // what nobody has looked at is as it was
				copy(image[from:to], cut(sent, from, to))
				continue
			}
			if err := e.answerObject(ft, member, cut(sent, from, to), image[from:to]); err != nil {
				return err
			}
		}
		return nil
	case plan.Array:
		target := e.fn.Plan.Target(t)
		for i := uint32(0); i < t.Count; i++ {
			from, to := i*target.Size, (i+1)*target.Size
			if err := e.answerObject(target, nil, cut(sent, from, to), image[from:to]); err != nil {
				return err
			}
		}
		return nil
	case plan.Handle:
		word, err := e.answerWord(t, value)
		le.PutUint64(image, word)
		return err
	}
	if sent != nil && le.Uint64(sent) != 0 {
		le.PutUint64(image, stays)
	}
	return nil
}

func hasUnion(p *plan.Plan, t *plan.Type) bool {
	switch t.Kind {
	case plan.Union:
		return true
	case plan.Array:
		return hasUnion(p, p.Target(t))
	case plan.Struct:
		fields := p.FieldsOf(t)
		for i := range fields {
			if hasUnion(p, p.Type(fields[i].Type)) {
				return true
			}
		}
	}
	return false
}

// plainImage encodes an object without pointers. Its sentences name no parameter: it is the library's.
func (e *encoder) plainImage(t *plan.Type, value any, image []byte) error {
	if t.Kind.IsScalar() {
		word, err := e.answerWord(t, value)
		store(t.Kind, image, word)
		return err
	}
	return e.object(t, value, image, nil, nil)
}
