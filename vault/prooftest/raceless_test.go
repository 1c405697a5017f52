//go:build !race

package prooftest_test

const raced = false
