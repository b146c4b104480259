// SPDX-License-Identifier: Apache-2.0

package kernel

const (
	sysMemfdCreate = 319
	sysPreadv2     = 327
	sysGetcpu      = 309
)
