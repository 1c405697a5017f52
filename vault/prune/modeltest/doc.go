// Package modeltest is a model.
package modeltest
