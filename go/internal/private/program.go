// SPDX-License-Identifier: Apache-2.0

package private

import (
	"embed"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"cordon.internal/cordon/internal/kernel"
)

// All that is there: a tree without the programs compiles, and says what is missing when one is wanted.
//
//go:embed programs
var programs embed.FS

// program returns the program that this package carries for this machine, as a descriptor of a sealed memory.
func program() (int, error) {
	name := "programs/cordon-private_" + runtime.GOARCH
	text, err := programs.ReadFile(name)
	if err != nil {
		return -1, fmt.Errorf("cordon: this build of the package carries no cordon-private for %s: "+
			"build Cordon, or name the program by WithProgram", runtime.GOARCH)
	}
	fd, err := kernel.Memory("cordon-private", int64(len(text)), kernel.SealShrink|kernel.SealGrow)
	if err != nil {
		return -1, err
	}
	file := os.NewFile(uintptr(fd), "cordon-private")
	defer file.Close()
	if _, err := file.WriteAt(text, 0); err != nil {
		return -1, err
	}
	if err := kernel.Seal(fd, kernel.SealWrite|kernel.SealSeal); err != nil {
		return -1, err
	}
	// Nobody may have it open for writing when it is executed.
	return syscall.Open(kernel.PathOf(fd), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
}
