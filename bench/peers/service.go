// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"
)

// The peers' service: messages are bytes as they are, which is cheaper than protobuf is.

const (
	serviceName = "peers.Service"
	addMethod   = "/" + serviceName + "/Add"
	crcMethod   = "/" + serviceName + "/CRC32"
)

// raw marshals bytes as they are, and what go-plugin has of its own as protobuf.
type raw struct{}

var _ encoding.Codec = raw{}

func (raw) Name() string { return "raw" }

func (raw) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case *[]byte:
		return *v, nil
	case proto.Message:
		return proto.Marshal(v)
	}
	return nil, fmt.Errorf("a %T", v)
}

func (raw) Unmarshal(data []byte, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = append((*v)[:0], data...)
		return nil
	case proto.Message:
		return proto.Unmarshal(data, v)
	}
	return fmt.Errorf("a %T", v)
}

func add(request []byte) ([]byte, error) {
	if len(request) != 16 {
		return nil, fmt.Errorf("%d bytes", len(request))
	}
	sum := binary.LittleEndian.Uint64(request) + binary.LittleEndian.Uint64(request[8:])
	return binary.LittleEndian.AppendUint64(nil, sum), nil
}

func checksum(request []byte) ([]byte, error) {
	return binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(request)), nil
}

func handler(of func([]byte) ([]byte, error)) grpc.MethodHandler {
	return func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request []byte
		if err := decode(&request); err != nil {
			return nil, err
		}
		reply, err := of(request)
		return &reply, err
	}
}

var service = grpc.ServiceDesc{
	ServiceName: serviceName,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "Add", Handler: handler(add)},
		{MethodName: "CRC32", Handler: handler(checksum)},
	},
}

// client calls the service.
type client struct{ conn grpc.ClientConnInterface }

func (c client) call(ctx context.Context, method string, request []byte) ([]byte, error) {
	var reply []byte
	err := c.conn.Invoke(ctx, method, &request, &reply, grpc.ForceCodec(raw{}))
	return reply, err
}

func (c client) add(ctx context.Context, a, b uint64) (uint64, error) {
	request := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(make([]byte, 0, 16), a), b)
	reply, err := c.call(ctx, addMethod, request)
	if err != nil || len(reply) != 8 {
		return 0, fmt.Errorf("add: %d bytes, %w", len(reply), err)
	}
	return binary.LittleEndian.Uint64(reply), nil
}

func (c client) crc32(ctx context.Context, data []byte) (uint32, error) {
	reply, err := c.call(ctx, crcMethod, data)
	if err != nil || len(reply) != 4 {
		return 0, fmt.Errorf("crc32: %d bytes, %w", len(reply), err)
	}
	return binary.LittleEndian.Uint32(reply), nil
}
