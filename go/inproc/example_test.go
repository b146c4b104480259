// SPDX-License-Identifier: Apache-2.0

package inproc_test

import (
	"context"
	"fmt"
	"log"

	"cordon.internal/cordon"
	"cordon.internal/cordon/inproc"
)

func Example() {
	ctx := context.Background()
	zlib, err := inproc.Open(ctx, "libz.so.1", cordon.WithInterface(
		"uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);"))
	if err != nil {
		log.Fatal(err)
	}
	defer zlib.Close()
	crc32, err := cordon.Bind2[uint32, []byte, uint32](zlib, "crc32")
	if err != nil {
		log.Fatal(err)
	}
	sum, err := crc32.Call(ctx, 0, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%#x\n", sum)
	// Output: 0x3610a686
}
