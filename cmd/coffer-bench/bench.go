package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A phase is what all programs do one after another.
type phase struct {
	name   string
	change string // what happens to the files first: a job of runInner, or ""
	args   func(tool, place) []string
	// limit is what the machine is measured with beside it; nil if there is no fair one.
	limit func(*bench) (name string, args []string)
}

func phases() []phase {
	backup := func(t tool, p place) []string { return t.backup(p) }
	return []phase{
		{"first backup", "", backup, (*bench).work},
		{"no change", "", backup, (*bench).walk},
		{"1 % changed", "change", backup, nil},
		{"insert", "insert", backup, nil},
		{"restore", "", func(t tool, p place) []string { return t.restore(p) }, (*bench).copy},
		{"read verification", "", func(t tool, p place) []string { return t.verify(p) }, (*bench).hash},
	}
}

// found is a program that is there.
type found struct {
	tool
	path, version string
}

// A bench is one measurement under way.
type bench struct {
	o        options
	self     string
	scratch  string
	home     string // of all that the programs write
	source   string
	programs []found
	proxy    *proxy
	log      io.Writer

	samples map[string]map[string][]sample // by phase and program or limit
	order   []string                       // limits as they came
	rounds  int                            // done, the last one perhaps in part
	files   int64
	bytes   int64
}

func newBench(o options, log io.Writer) (*bench, error) {
	b := &bench{o: o, log: log, samples: map[string]map[string][]sample{}}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	for _, t := range tools() {
		path, err := exec.LookPath(t.name)
		if err != nil || !slices.Contains(o.tools, t.name) || t.name == "borg" && o.s3 != "" {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		out, err := exec.Command(path, t.version...).Output()
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", path, strings.Join(t.version, " "), err)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		b.programs = append(b.programs, found{t, path, line})
	}
	if len(b.programs) == 0 {
		return nil, errors.New("none of the programs is on the PATH")
	}
	return b, b.prepare()
}

// prepare makes the scratch folder, and the proxy where the target is S3.
func (b *bench) prepare() (err error) {
	if b.o.s3 != "" {
		if b.proxy, err = newProxy(b.o.s3, b.o.link); err != nil {
			return err
		}
	}
	if b.scratch, err = os.MkdirTemp(b.o.scratch, "coffer-bench-"); err != nil {
		return err
	}
	if b.scratch, err = filepath.Abs(b.scratch); err != nil {
		return err
	}
	if b.home = b.scratch; b.o.home != "" {
		if b.home, err = os.MkdirTemp(b.o.home, "coffer-bench-"); err != nil {
			return err
		}
		if b.home, err = filepath.Abs(b.home); err != nil {
			return err
		}
	}
	if b.o.restoreTo == "" {
		b.o.restoreTo = b.scratch
	}
	b.source = filepath.Join(b.scratch, "files")
	return nil
}

func (b *bench) close() {
	if b.proxy != nil {
		b.proxy.close()
	}
	if !b.o.keep {
		os.RemoveAll(b.scratch)
		os.RemoveAll(b.home)
	}
}

func (b *bench) run(ctx context.Context) error {
	if err := b.makeFiles(ctx); err != nil {
		return err
	}
	for round := range b.o.rounds {
		b.rounds++
		if err := b.round(ctx, round); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
	}
	return nil
}

func (b *bench) makeFiles(ctx context.Context) error {
	args := append([]string{"make", b.source, strconv.FormatUint(b.o.seed, 10), strconv.FormatFloat(b.o.scale, 'g', -1, 64)}, b.o.parts...)
	var err error
	if b.o.source != "" {
		_, err = child(ctx, "", os.Environ(), []string{"cp", "-a", b.o.source, b.source})
	} else {
		err = b.inner(ctx, args...)
	}
	if err != nil {
		return err
	}
	return eachFile(b.source, func(_ string, size int64) error { b.files++; b.bytes += size; return nil })
}

func (b *bench) inner(ctx context.Context, args ...string) error {
	_, err := child(ctx, "", os.Environ(), append([]string{b.self, inner}, args...))
	return err
}

// round takes every program through all phases, each from an empty target.
func (b *bench) round(ctx context.Context, round int) error {
	programs := slices.Clone(b.programs)
	if round%2 == 1 {
		slices.Reverse(programs)
	}
	places := map[string]place{}
	for _, f := range programs {
		p, err := b.begin(ctx, f, round)
		if err != nil {
			return err
		}
		defer os.RemoveAll(filepath.Dir(p.home))
		places[f.name] = p
	}
	for i, ph := range phases() {
		if ph.change != "" {
			if err := b.inner(ctx, ph.change, b.source, strconv.FormatUint(b.o.seed+uint64(round), 10)); err != nil {
				return err
			}
		}
		if ph.limit != nil {
			if err := b.measureLimit(ctx, ph, places); err != nil {
				return err
			}
		}
		for _, f := range programs {
			p := places[f.name]
			p.serial = min(i, 3) // the backups are the first four
			if err := b.measure(ctx, ph, f, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin makes the place of a program and an empty target.
func (b *bench) begin(ctx context.Context, f found, round int) (place, error) {
	dir := filepath.Join(b.home, f.name)
	p := place{home: dir + "/home", source: b.source, folder: dir + "/target", target: filepath.Join(b.o.restoreTo, "coffer-bench-restored-"+f.name)}
	if b.proxy != nil {
		p.folder = ""
		p.s3 = bucket{b.proxy.addr, b.proxy.bucket, fmt.Sprintf("%s/%s-%d", filepath.Base(b.scratch), f.name, round)}
		for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
			p.keys = append(p.keys, k+"="+os.Getenv(k))
		}
	}
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		return p, err
	}
	for _, args := range [][]string{f.create(p), f.prepareArgs(p)} {
		if args == nil {
			continue
		}
		if _, err := child(ctx, p.home, f.env(p), append([]string{f.path}, args...)); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (f found) prepareArgs(p place) []string {
	if f.tune == nil {
		return nil
	}
	return f.tune(p)
}

// measure takes one program through one phase.
func (b *bench) measure(ctx context.Context, ph phase, f found, p place) error {
	dir := p.home
	if ph.name == "restore" {
		dir = p.target
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	before, err := b.used(p)
	if err != nil {
		return err
	}
	if err := settle(ctx); err != nil {
		return err
	}
	s, err := child(ctx, dir, f.env(p), append([]string{f.path}, ph.args(f.tool, p)...))
	if err != nil {
		return err
	}
	after, err := b.used(p)
	if err != nil {
		return err
	}
	s.Stored, s.Requests, s.Puts = after.Stored-before.Stored, after.Requests-before.Requests, after.Puts-before.Puts
	b.note(ph.name, f.name, s)
	if ph.name == "restore" {
		if err := b.inner(ctx, "compare", b.source, f.below(p)); err != nil {
			return fmt.Errorf("what %s restored: %w", f.name, err)
		}
	}
	return nil
}

// used tells what a target holds, or what went through the proxy.
func (b *bench) used(p place) (s sample, err error) {
	if b.proxy != nil {
		return sample{Stored: float64(b.proxy.up.Load()) / 1e6, Requests: b.proxy.all.Load(), Puts: b.proxy.puts.Load()}, nil
	}
	err = eachFile(p.folder, func(_ string, size int64) error { s.Stored += float64(size) / 1e6; return nil })
	return s, err
}

// settle has what was written before reach the disk, so that it does not fall
// on who comes next.
func settle(ctx context.Context) error {
	_, err := child(ctx, "", os.Environ(), []string{"sync"})
	return err
}

func (b *bench) measureLimit(ctx context.Context, ph phase, places map[string]place) error {
	name, args := ph.limit(b)
	if name == hashLimit {
		args[len(args)-1] = places[b.programs[0].name].folder
	}
	if args[len(args)-1] == "" {
		return nil // in S3: not to be read from here
	}
	if err := settle(ctx); err != nil {
		return err
	}
	s, err := child(ctx, "", os.Environ(), args)
	if err != nil {
		return err
	}
	if !slices.Contains(b.order, name) {
		b.order = append(b.order, name)
	}
	b.note(ph.name, name, s)
	return os.RemoveAll(b.copied())
}

func (b *bench) note(phase, name string, s sample) {
	if b.samples[phase] == nil {
		b.samples[phase] = map[string][]sample{}
	}
	b.samples[phase][name] = append(b.samples[phase][name], s)
	fmt.Fprintf(b.log, "%-18s %-36s %8.2f s  cpu %8.2f s  %7.0f MB  %9.1f MB stored\n", phase, name, s.Wall, s.CPU, s.Memory, s.Stored)
}

// The limits of the machine.

func (b *bench) work() (string, []string) {
	return "read, hash, compress, encrypt", []string{b.self, inner, "work", b.source}
}

func (b *bench) walk() (string, []string) {
	if exec.Command("find", os.DevNull, "-printf", "").Run() == nil {
		return "find -printf", []string{"find", b.source, "-fprintf", os.DevNull, "%y %m %s %T@ %C@ %i %U %G %n %p\n"}
	}
	return "walk and stat", []string{b.self, inner, "walk", b.source}
}

func (b *bench) copied() string { return filepath.Join(b.o.restoreTo, "coffer-bench-copied") }

func (b *bench) copy() (string, []string) {
	return "cp -a", []string{"cp", "-a", b.source, b.copied()}
}

const hashLimit = "read and hash what is stored"

func (b *bench) hash() (string, []string) { return hashLimit, []string{b.self, inner, "hash", ""} }
