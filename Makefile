# make test   every check and test there is: the one command before a commit
# make build  the program, ./coffer
# make fuzz   each fuzz target for FUZZTIME
# make golden, hostile, privacy, mutate
#             kept vaults; names, races, and files that others change; what leaks;
#             what no test would notice (ONLY a part of a file name, SAMPLE of each room)
# make crash  the machine stops at every change to its files and to a remote
# make faults seeded runs on a store that fails in every way; SEEDS lives of five
# make damage every object of a vault damaged in every way, bits flipped in memory
# make disks  disks that are full, out of files, or read-only
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

.PHONY: build test format vet servers fuzz golden hostile privacy mutate crash faults damage disks race soak bench

# First, so that a bare make builds. Without C the binary runs on any Linux,
# and with -trimpath the same sources give the same bytes everywhere.
build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o coffer ./cmd/coffer

# Of the stories of vault/prune a plain go test plays a tenth.
test: format vet servers
	COFFER_STORIES=10000 go test -timeout 30m ./...

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
	@set -e; binaries=$$(mktemp -d); trap 'rm -r "$$binaries"' EXIT; cache=$$(go env GOCACHE)/fuzz; \
	for folder in $$(grep -rl --include=*_test.go '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
		go test -c -fuzz . -o "$$binaries/fuzz.test" $$folder; \
		for target in $$(cd $$folder && "$$binaries/fuzz.test" -test.list '^Fuzz'); do \
			echo "$$folder $$target"; \
			(cd $$folder && "$$binaries/fuzz.test" -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) \
				-test.fuzzminimizetime 100x -test.fuzzcachedir "$$cache/$$folder"); \
		done; \
	done

# These are in make test, too.
golden:
	go test -count 1 -v -run 'Golden|Seeds|Stock' ./vault/vaulttest

hostile:
	go test -count 1 ./files
	go test -count 1 -v -run 'Racing|Names|Swapper|Planted|Hostile|Troubled|SameSize|Edits|Limit|VeryMany|Terabyte|WhatIsNo|ErrorInTheMiddle' ./vault/restore ./vault/backup

privacy: servers
	go test -count 1 -v -run TestPrivacy ./cmd/coffer

# Takes hours, so it is not in make test; it says which mutants survived.
mutate:
	go run ./cmd/coffer/mutatetest -sample $(SAMPLE) -only '$(ONLY)'

# counted runs tests and shows what they counted, but not each of them.
counted = @out=$$(mktemp) && { go test -count=1 -v -timeout 24h $(1) >"$$out" 2>&1; code=$$?; \
	grep -v '^=== \|^ *--- PASS' "$$out"; rm "$$out"; exit $$code; }

# What follows breaks vaults on purpose; a shorter form of each is in make test.
crash:
	$(call counted,-run '^(TestStop|TestCutOff|TestKilled)$$' ./vault/prooftest ./cmd/coffer)
	go test -count=1 -timeout 1h -run Crash ./vault/...

faults:
	COFFER_SEEDS=$(SEEDS) go test -count=1 -v -timeout 24h -run '^TestFaultyStore$$' ./vault/prooftest

damage:
	$(call counted,-run '^(TestDamage|TestBitFlips|TestRecipientsFlip|TestCheckFindsFlips)$$' ./vault/prooftest ./vault ./chunk/pack)
	go test -count=1 -timeout 1h -run 'Damage|Missing|Bad|Harm|Attack' ./vault/...

disks:
	$(call counted,-run '^TestScripts$$/disk' ./cmd/coffer)
	go test -count=1 -timeout 1h -run 'Fails|Full|DiskErrors' ./vault/... ./remote/dir ./files

race: servers
	go test -race -timeout 2h $(ROOMS)

soak: servers
	go test -count=1 -v -run '^TestNothingIsLeft$$' ./vault/prooftest
	COFFER_SOAK=$(SOAK) go test -count=1 -v -timeout 24h -run '^TestSoak$$' ./vault/vaulttest

# Two commits compare with: benchstat bench-ONE.txt bench-OTHER.txt
bench:
	go test -run '^$$' -bench . -benchmem -count $(COUNT) $(ROOMS) | tee $(BENCH)
