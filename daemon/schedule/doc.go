// Package schedule says when a job is due. It is pure: it knows no clock (now
// is an argument), no file, no other room, and every function may be called
// from several goroutines.
//
// [Parse] reads what a user wrote, [Schedule.Next] gives the next due time.
// For each job a caller keeps one instant, covered: the newest due time that a
// good or a final run has answered for, and at first the instant when the job
// was first seen. [Due] then tells whether a run is owed now, [Schedule.Cover]
// what covered becomes once it is done, and [Rebase] what is left of it when
// the clock was wrong. As covered lasts over suspend, reboot and upgrade, so
// does the schedule: any number of missed times makes one run.
//
// What a schedule means where the clocks change is, nearly, Vixie cron's rule:
//   - A time that the clocks skip in spring is due at the first instant after
//     the gap. Several in one gap are due once, at that instant.
//   - A time that comes twice in autumn is due once, the first time.
//   - But a schedule that names every hour (0 * * * *) counts hours that pass,
//     not hours on the clock: it is due in both of the repeated ones, and
//     whatever the gap leaves out is not made up for.
//
// With both a day of month and a day of week given, either is enough, as in
// every cron: 0 0 1,15 * 1 is the 1st, the 15th and each Monday.
package schedule
