// Package notify tells people, and services that watch, how the backups fare.
// It knows no other room: facts come in as plain values.
//
//   - A [Pinger] tells a service that expects to hear from each run: start,
//     success, failure, log. Silence is what raises the alarm there, so it
//     also speaks for a machine that is off.
//   - [Watch] turns facts into messages for people: one for each change of
//     state, none for a run like the last. It is pure; what was told is a
//     plain value that the caller keeps over restarts.
//   - An [Outbox] keeps messages until they are delivered. When a backup fails
//     the network is often what is missing, and the message waits for it too;
//     it then says when the thing happened. The caller keeps it on disk.
//   - A [Sender] delivers one message to one [Target]: a service by URL
//     (mail, ntfy, Slack, ...) or the desktop.
//
// Addresses are secrets: who knows a ping address can fake a success, who
// knows a service's URL can write in the owner's name. They are in no error
// and no text of this package. Messages travel to other people's machines:
// they hold names of projects, counts and times, never names of files, as
// long as the caller keeps these out of [Facts.Why].
package notify
