//go:build !linux || (!amd64 && !arm64) || portable

package files

const rawCalls = false
