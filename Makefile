# make test   every check and test there is, and a short form of all that
#             follows: the one command before a commit. Half an hour
# make build  the program, ./coffer
# make fuzz   each fuzz target for FUZZTIME
# make golden, hostile, privacy, mutate
#             kept vaults; names, races, files that others change, MANY in one
#             folder; what leaks; what no test would notice (ONLY a part of a
#             file name, SAMPLE of each room)
# make crash  the machine stops at every change to its files and to a remote
# make faults seeded runs on a store that fails in every way; SEEDS lives of five
# make damage every object of a vault damaged in every way, bits flipped in memory
# make disks  disks that are full, out of files, over a quota, read-only, or fail
# make race   the tests under the race detector, in ROOMS
# make soak   two machines on a MinIO for SOAK, with flat memory; nothing left
# make bench  the benchmarks, COUNT times, into BENCH, for benchstat

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 30s
SAMPLE ?= 0
ONLY ?=
COUNT ?= 6
BENCH ?= bench-$(VERSION).txt
ROOMS ?= ./...
SEEDS ?= 20000
SOAK ?= 30m
MANY ?= 1000000
COUNTS ?= /dev/stdout
# The rooms in which most goes on at once.
RACES := ./chunk/pack ./files ./remote/... ./daemon ./daemon/control ./daemon/job ./daemon/notify ./daemon/web ./vault ./vault/state ./vault/backup ./vault/restore ./vault/verify

SHELL := bash
.SHELLFLAGS := -o pipefail -c

.PHONY: build test tests short format vet servers fuzz golden hostile privacy mutate crash faults damage disks race soak bench

# First, so that a bare make builds. Without C the binary runs on any Linux,
# with -trimpath the same sources give the same bytes everywhere, and without
# what only a debugger reads it is a third smaller.
build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o coffer ./cmd/coffer

# What was tried is told in the end, all of it together.
test: format vet servers
	@counts=$$(mktemp); $(MAKE) --no-print-directory COUNTS=$$counts tests short; code=$$?; \
	echo; echo "tried:"; cat $$counts; rm $$counts; exit $$code

# Of the stories of vault/prune a plain go test plays a tenth.
tests:
	$(call tested,COFFER_STORIES=10000,-timeout 30m ./...)

# What a plain go test has in no form. The others are in it: golden, hostile,
# privacy, crash, faults, damage and disks as they are or with smaller numbers,
# and half a minute of the soak.
short:
	@$(MAKE) --no-print-directory fuzz FUZZTIME=500x
	@COFFER_MANY=20000 $(MAKE) --no-print-directory race ROOMS='$(RACES)'
	@$(MAKE) --no-print-directory mutate SAMPLE=3

# tested runs tests, with $(1) in the environment, tells of each package as it
# ends and of all that failed, and keeps what the tests counted.
tested = @log=$$(mktemp); $(1) go test -v $(2) 2>&1 | tee $$log | grep --line-buffered -E '^(ok|FAIL|panic:)[[:blank:]]|^--- FAIL'; \
	code=$${PIPESTATUS[0]}; [ $$code = 0 ] || grep -vE '^(=== |[?])|^ *--- PASS' $$log; \
	sed -nE 's/^ *[a-z_]+_test\.go:[0-9]+: tried: /  /p' $$log >>$(COUNTS); rm $$log; exit $$code

format:
	@unformatted=$$(gofmt -l .) && test -z "$$unformatted" || { echo "gofmt -w these:"; echo "$$unformatted"; exit 1; }

# Vetting for a system compiles for it, so each port at least builds.
vet:
	go vet ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go vet ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=amd64 go vet ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go vet ./...

# The S3 servers that the tests talk to; built once, then cached.
servers:
	deploy/testservers

# One target runs at a time. Each package is built once for all of its targets,
# which saves most of a short run. Without a bound on minimizing, it spends the
# rest there. A short run is bounded by executions, so that it costs the same
# everywhere.
fuzz:
	@set -e; binaries=$$(mktemp -d); trap 'rm -r "$$binaries"' EXIT; cache=$$(go env GOCACHE)/fuzz; targets=0 executions=0; \
	for folder in $$(grep -rl --include=*_test.go '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
		go test -c -fuzz . -o "$$binaries/fuzz.test" $$folder; \
		for target in $$(cd $$folder && "$$binaries/fuzz.test" -test.list '^Fuzz'); do \
			echo "$$folder $$target"; \
			(cd $$folder && "$$binaries/fuzz.test" -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) \
				-test.fuzzminimizetime 100x -test.fuzzcachedir "$$cache/$$folder") 2>&1 | tee "$$binaries/log"; \
			execs=$$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$$binaries/log" | tail -n 1); \
			targets=$$((targets + 1)) executions=$$((executions + execs)); \
		done; \
	done; \
	echo "  $$targets fuzz targets, $$executions executions" >>$(COUNTS)

golden:
	$(call tested,,-count 1 -run 'Golden|Seeds|Stock' ./vault/vaulttest)

# A folder has MANY entries in it.
hostile:
	$(call tested,,-count 1 ./files)
	$(call tested,COFFER_MANY=$(MANY),-count 1 -timeout 1h -run 'Racing|Names|Swapper|Planted|Hostile|Troubled|SameSize|Edits|Limit|VeryMany|Terabyte|WhatIsNo|ErrorInTheMiddle' ./vault/restore ./vault/backup)

privacy: servers
	$(call tested,,-count 1 -run TestPrivacy ./cmd/coffer)

# Takes hours if SAMPLE does not bound it; it says which mutants survived that
# are not on the list, and fails then.
mutate:
	@log=$$(mktemp); go run ./cmd/coffer/mutatetest -sample $(SAMPLE) -only '$(ONLY)' | tee $$log; code=$$?; \
	sed -n 's/^all: /  /p' $$log >>$(COUNTS); rm $$log; exit $$code

crash:
	$(call tested,,-count 1 -timeout 24h -run '^(TestStop|TestStopKit|TestCutOff|TestKilled)$$' ./vault/prooftest ./cmd/coffer)
	$(call tested,,-count 1 -timeout 1h -run Crash ./vault/...)

faults:
	$(call tested,COFFER_SEEDS=$(SEEDS),-count 1 -timeout 24h -run '^TestFaultyStore$$' ./vault/prooftest)

damage:
	$(call tested,,-count 1 -timeout 24h -run '^(TestDamage|TestBitFlips|TestRecipientsFlip|TestCheckFindsFlips)$$' ./vault/prooftest ./vault ./chunk/pack)
	$(call tested,,-count 1 -timeout 1h -run 'Damage|Missing|Bad|Harm|Attack' ./vault/...)

disks:
	$(call tested,,-count 1 -timeout 24h -run '^TestScripts$$/disk' ./cmd/coffer)
	$(call tested,COFFER_DISK_ERRORS=all,-count 1 -timeout 24h -run 'Fails|Full|DiskErrors' ./vault/... ./remote/dir ./files)

# Long enumerations play a small part of themselves.
race: servers
	$(call tested,COFFER_SEEDS=100 COFFER_STORIES=100,-race -timeout 4h $(ROOMS))
	@echo "  the race detector, in $$(go list $(ROOMS) | wc -l) packages" >>$(COUNTS)

soak: servers
	$(call tested,,-count 1 -run '^TestNothingIsLeft$$' ./vault/prooftest)
	$(call tested,COFFER_SOAK=$(SOAK),-count 1 -timeout 24h -run '^TestSoak$$' ./vault/vaulttest)

# Two commits compare with: benchstat bench-ONE.txt bench-OTHER.txt
bench:
	go test -run '^$$' -bench . -benchmem -count $(COUNT) $(ROOMS) | tee $(BENCH)
