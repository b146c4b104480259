// SPDX-License-Identifier: Apache-2.0

package kernel

const (
	sysMemfdCreate = 279
	sysPreadv2     = 286
	sysGetcpu      = 168
)
