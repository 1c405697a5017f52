//go:build race

package prooftest_test

// Under the race detector everything takes ten times as long, so that only one
// in twenty points is tried.
const raced = true
