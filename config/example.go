package config

import _ "embed"

//go:embed example.toml
var example string

// Example returns a commented config file to start from. It parses as it is.
func Example() string { return example }
