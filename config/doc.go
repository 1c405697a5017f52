// Package config turns the one TOML file a user writes into plain checked
// values: which vaults there are, which folders make up a project, and how
// much of the network and the memory Coffer may use. It knows no other room;
// whoever wires the program translates these values into theirs.
//
// Use: [Load] reads a file ([DefaultPath] says which), [Parse] reads bytes,
// [Default] is what holds when there is no file. [Example] is the commented
// file to start from, and [Config.Show] renders what is in effect.
//
// Promises:
//
//   - Strict: an unknown key, a wrong type, a value out of range or a name that
//     points nowhere is a mistake, never ignored and never guessed at.
//   - All at once: an [Error] holds every mistake of the file, each with its
//     line, the line itself, and the nearest known name. Only a syntax error
//     hides what stands behind it.
//   - What is returned needs no further check: every path is absolute and
//     clean, every project names a vault that exists, every default is filled in.
//   - No secrets: they have no place in the file, and where one is found it is
//     refused without being repeated in the message.
//   - [Parse] of [Config.Show] gives the same values again.
//
// The file system is not touched but to read the file itself: whether a folder
// exists is found out by who walks it.
package config
