// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// all are the CPUs that this process might use when it began.
var (
	all    = cpus()
	pinned bool
)

func cpus() (list []int) {
	var mask [16]uint64
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); errno != 0 {
		return nil
	}
	for cpu := 0; cpu < 64*len(mask); cpu++ {
		if mask[cpu/64]>>(cpu%64)&1 != 0 {
			list = append(list, cpu)
		}
	}
	return list
}

// allow lets all threads of this process use some CPUs. Threads that begin later are like those that begin them.
func allow(list ...int) {
	var mask [16]uint64
	for _, cpu := range list {
		mask[cpu/64] |= 1 << (cpu % 64)
	}
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
		}
	}
}

func pin(cpu int) {
	allow(cpu)
	pinned = true
}

func unpin() {
	allow(all...)
	pinned = false
}

// theirs names the CPUs of the other side, as taskset has them.
func theirs() string {
	list := all
	if pinned {
		list = all[1:2]
	}
	names := make([]string, len(list))
	for i, cpu := range list {
		names[i] = strconv.Itoa(cpu)
	}
	return strings.Join(names, ",")
}
