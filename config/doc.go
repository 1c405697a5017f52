// Package config turns the one TOML file a user writes into plain checked
// values: which vaults there are, which folders make up a project, what is
// done with them when and under which conditions, who is told, and how much of
// the network and the memory Coffer may use. It knows no other room; whoever
// wires the program translates these values into theirs.
//
// Use: [Load] reads a file ([DefaultPath] says which), [Parse] reads bytes,
// and [Checks] does both with the help of rooms that know more of a value.
// [Default] is what holds when there is no file. [Example] is the commented
// file to start from, [Config.Show] renders what is in effect, and [Schema] is
// for editors. Each key stands in one table of fields, which all of these and
// the hints of mistakes are made from.
//
// Promises:
//
//   - Strict: an unknown key, a wrong type, a value out of range or a name that
//     points nowhere is a mistake, never ignored and never guessed at.
//   - All at once: an [Error] holds every mistake of the file, each with its
//     line, the line itself, and what to do about it. Only a syntax error
//     hides what stands behind it.
//   - What is returned needs no further check: every path is absolute and
//     clean, every project names a vault that exists, every default is filled
//     in, and what is said for all has come down to each project and vault.
//   - No secrets: they have no place in the file, and where one is found it is
//     refused without being repeated in the message.
//   - [Parse] of [Config.Show] gives the same values again.
//
// The file system is not touched but to read the file itself and the system's
// time zones: whether a folder exists is found out by who walks it.
package config
