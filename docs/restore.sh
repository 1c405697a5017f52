#!/usr/bin/env bash
# restore.sh restores a snapshot of a Coffer vault without Coffer.
#
#   restore.sh -k KIT -v VAULT -l                  list the snapshots
#   restore.sh -k KIT -v VAULT -t TARGET           restore the newest snapshot
#   restore.sh -k KIT -v VAULT -s ID -t TARGET     restore the snapshot whose ID begins with ID
#   restore.sh -k KIT -v VAULT -p PROJECT -t TARGET
#                                                  restore the newest snapshot of a project
#   restore.sh -k KIT -v VAULT [-s ID | -p PROJECT] -n
#                                                  name the objects that the snapshot needs
#
#   -k KIT       the recovery kit (or any age identity file, with -u)
#   -v VAULT     a copy of the remote in a local folder: trust/, commits/, packs/ and so on
#   -t TARGET    a folder that is empty or does not exist yet
#   -w FOLDER    where to keep scratch files (default: $TMPDIR or /tmp). They hold decrypted
#                content, seldom much more than a few packs at a time, and are removed at the end.
#   -e WITNESS   go on only if the commit with this witness is here: 16 hex digits that Coffer
#                prints, and that show a vault that was put back to an older state
#   -u           go on although the kit has no root key to verify the list of devices with
#
# It needs age 1.3.0 or later, zstd, jq 1.6 or later, ssh-keygen of OpenSSH 8.2 or later,
# sha256sum (or shasum), bash 3.2 or later and the usual Unix tools. Extended attributes
# need setfattr. Owners and devices need root. docs/recovery.md says how to use it, and
# docs/format.md what it reads.
#
# Before anything of an object is used, its SHA-256 is compared with the one in its name. Which
# names belong together is said by signatures: the root key (in the kit) signs the trust, the
# devices in the trust sign commits, a commit names ledger and body, the ledger names packs.
#
# Exit status: 0 all is restored and nothing was found wrong; 3 restored, but something is
# missing or was found wrong, and was named; 1 nothing could be restored; 2 wrong usage.

set -u -o pipefail
export LC_ALL=C # names are bytes
umask 077

usage() {
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit "$1"
}

kit='' vault='' target='' want='' project='' witness='' scratch=${TMPDIR:-/tmp} action=restore unverified=''
while getopts k:v:t:s:p:w:e:lnuh option; do
	case $option in
	k) kit=$OPTARG ;;
	v) vault=$OPTARG ;;
	t) target=$OPTARG ;;
	s) want=$OPTARG ;;
	p) project=$OPTARG ;;
	w) scratch=$OPTARG ;;
	e) witness=$OPTARG ;;
	l) action=list ;;
	n) action=names ;;
	u) unverified=yes ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
if [[ $# -gt 0 || -z $kit || -z $vault || $action == restore && -z $target ]]; then
	usage 2 >&2
fi

# --- Telling ---------------------------------------------------------------------------------

# Names from the vault, and from the folder it lies in, may hold what confuses a terminal: control
# bytes are shown as ?.
show() { printf '%s' "${1//[[:cntrl:]]/?}"; }
say() { printf '%s\n' "$(show "$*")" >&2; }

# warn tells of something wrong that does not stop the restore. It uses a copy of standard error,
# because the errors of chmod and the like are gathered in a file.
exec 9>&2
warn() {
	printf '! %s\n' "$(show "$*")" >&9
	printf '%s\n' "$(show "$*")" >>"$tmp/problems"
}

die() {
	printf 'restore.sh: %s\n' "$*" >&2
	exit 1
}

# --- Getting ready ---------------------------------------------------------------------------

for tool in age zstd jq ssh-keygen; do
	command -v "$tool" >/dev/null || die "install $tool first"
done
if command -v sha256sum >/dev/null; then
	sha256=(sha256sum)
elif command -v shasum >/dev/null; then
	sha256=(shasum -a 256)
else
	die "install sha256sum first"
fi

# absolute prints a path that does not depend on the working folder.
absolute() {
	case $1 in
	/*) printf '%s' "$1" ;;
	*) printf '%s/%s' "$PWD" "$1" ;;
	esac
}

kit=$(absolute "$kit")
[[ -f $kit ]] || die "there is no kit $kit"
if [[ $action == restore ]]; then
	mkdir -p -- "$target" || die "cannot make the folder $target"
	target=$(cd -- "$target" && pwd -P) || die "cannot enter the folder $target"
	[[ -z $(ls -A -- "$target") ]] || die "$target is not empty: name a folder that is, or one that does not exist"
fi
scratch=$(absolute "$scratch")
cd -- "$vault" 2>/dev/null || die "cannot enter the folder $vault"
[[ -d trust && -d commits ]] || die "$vault is no copy of a remote: it has no trust/ and commits/"
tmp=$(mktemp -d "$scratch/coffer-restore.XXXXXX") || die "cannot make scratch files in $scratch"
trap 'rm -rf -- "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$tmp/content" "$tmp/lost"
: >"$tmp/problems"

# cut_out FILE OFFSET LENGTH prints a stretch of a file.
if dd if=/dev/null iflag=skip_bytes,count_bytes status=none 2>/dev/null; then
	cut_out() { dd if="$1" iflag=skip_bytes,count_bytes skip="$2" count="$3" bs=1M status=none; }
else
	cut_out() { (set +o pipefail; tail -c "+$(($2 + 1))" "$1" | head -c "$3"); }
fi

# genuine NAME tells whether an object is there and has the bytes that its name says.
genuine() {
	[[ -f $1 ]] || { why="it is missing"; return 1; }
	local sum
	sum=$("${sha256[@]}" <"$1") || { why="it cannot be read"; return 1; }
	[[ ${sum:0:64} == "${1: -64}" ]] || { why="its bytes do not match its name"; return 1; }
}

# small NAME BYTES tells whether an object is not larger than anything of its kind.
small() {
	(($(wc -c <"$1") <= $2)) || { why="it is larger than any object of its kind"; return 1; }
}

# signed FILE SIGNERS WHO NAMESPACE tells whether the first line of a file, which is left in
# $tmp/stmt, is signed by the lines after it.
signed() {
	sed 1q "$1" >"$tmp/stmt" && sed 1d "$1" >"$tmp/sig" &&
		ssh-keygen -Y verify -f "$2" -I "$3" -n "$4" -s "$tmp/sig" <"$tmp/stmt" >"$tmp/keygen" 2>&1 ||
		{ why="its signature is not that of $3"; return 1; }
}

# unseal NAME decrypts an object.
unseal() { age -d -i "$tmp/identity" "$1" 2>"$tmp/age"; }

# What jq programs share. Text of the vault goes from jq to the shell with every unusual byte as
# \xHH, which printf %b undoes: names may hold anything, and need not be UTF-8.
jq_prelude='
def bytes: # of base64
  [explode[] | if . == 43 then 62 elif . == 47 then 63 elif . == 61 then empty
    elif . < 58 then . + 4 elif . < 91 then . - 65 else . - 71 end] as $s
  | [range(($s | length) * 6 / 8 | floor) as $i | ($i * 8 / 6 | floor) as $j
    | if $i % 3 == 0 then $s[$j] * 4 + ($s[$j+1] / 16 | floor)
      elif $i % 3 == 1 then $s[$j] % 16 * 16 + ($s[$j+1] / 4 | floor)
      else $s[$j] % 4 * 64 + $s[$j+1] end];
def hex: "0123456789ABCDEF" as $h | "\\x" + $h[. / 16 | floor:][:1] + $h[. % 16:][:1];
def escaped: @uri | split("%") | join("\\x");
def text(name): # a field that is text, or base64 where it is not UTF-8
  if .[name] then .[name] | escaped elif .[name + "64"] then .[name + "64"] | bytes | map(hex) | join("") else "" end;
'

# --- The kit and the trust -------------------------------------------------------------------

# fact NAME prints a value that the kit holds in its comments, folded into several lines or not.
fact() {
	awk -v name="$1" '
		!seen && index($0, "# " name ": ") == 1 { seen = on = 1; v = substr($0, length(name) + 5); next }
		on && index($0, "# " name "+: ") == 1 { v = v substr($0, length(name) + 6); next }
		{ on = 0 }
		END { print v }' "$tmp/kit"
}

# read_kit leaves what is needed of the kit in variables and in $tmp/identity. It forgives what
# editors and mail programs do to the ends of lines.
read_kit() {
	tr -d '\r' <"$kit" | sed -e $'1s/^\xef\xbb\xbf//' -e 's/^[[:blank:]]*//' -e 's/[[:blank:]]*$//' >"$tmp/kit"
	grep -i '^AGE-SECRET-KEY-' "$tmp/kit" | tr '[:lower:]' '[:upper:]' | sort -u >"$tmp/identity"
	[[ -s $tmp/identity ]] || cp "$kit" "$tmp/identity" # another kind of identity that age knows
	vault_id=$(fact vault)
	local trust
	trust=$(fact trust)
	kit_n=${trust%% *} kit_sum=${trust#* }
	[[ $kit_n =~ ^[0-9]+$ ]] || kit_n=0
	root=$(fact root)
	if [[ $root ]]; then
		printf '%s\n' "$root" >"$tmp/root"
	elif [[ $unverified ]]; then
		warn "the list of devices is not verified: the kit has no root key"
	else
		die "the kit has no line '# root:', so nothing shows who signed the list of devices;" \
			"if this is all that is left of your kit, run again with -u"
	fi
}

# open_trust NAME opens and verifies a trust and leaves its line in $tmp/stmt.
open_trust() {
	genuine "$1" && small "$1" 1048576 || return 1
	unseal "$1" >"$tmp/trust" || { why="age: $(tail -n 1 "$tmp/age")"; return 1; }
	if [[ $root ]]; then
		signed "$tmp/trust" "$tmp/root" coffer-root coffer-trust || return 1
	else
		sed 1q "$tmp/trust" >"$tmp/stmt"
	fi
	jq -e --argjson n "$((10#${1:6:10}))" --arg vault "$vault_id" \
		'.v == 1 and .format == 1 and .n == $n and ($vault == "" or .vault == $vault)' "$tmp/stmt" >/dev/null ||
		{ why="it is not what its name says, or of a format that this script does not know"; return 1; }
}

# find_trust finds the newest trust: the list of devices that the root key signed.
find_trust() {
	local name n sum last_n=0 last_sum=''
	for name in trust/*; do # names sort as their numbers do
		if [[ ! $name =~ ^trust/[0-9]{10}-[0-9a-f]{64}$ ]]; then
			warn "$name: not one of Coffer's"
			continue
		fi
		n=$((10#${name:6:10})) sum=${name: -64}
		((n >= kit_n)) || continue # older than the kit
		if ((n == kit_n)) && [[ $sum != "$kit_sum" ]]; then
			warn "$name: not the trust that the kit has seen; left out"
			continue
		fi
		open_trust "$name" || { warn "$name: $why; left out"; continue; }
		if ((n == last_n)); then
			warn "$name: there is another trust of this number; left out"
			continue
		fi
		if ((last_n > 0)) && ! jq -e --arg prev "$last_sum" '.prev == $prev' "$tmp/stmt" >/dev/null; then
			warn "$name: was not made from trust $last_n, which is the newest before it here"
		fi
		cp "$tmp/stmt" "$tmp/trust.json"
		last_n=$n last_sum=$sum
	done
	if ((last_n == 0)); then
		((kit_n == 0)) || die "the kit has seen trust $kit_n, and this copy shows no good one from there on:" \
			"it is older than the kit, or damaged, or the kit is of another vault (is your age 1.3.0 or later?)"
		die "no trust here can be opened with this kit (is your age 1.3.0 or later?)"
	fi
	vault_id=$(jq -r .vault "$tmp/trust.json")
	jq -r '.devices[] | "\(.id) namespaces=\"coffer-commit\" \(.sign)"' "$tmp/trust.json" >"$tmp/signers"
	jq -r '.devices[] | [.id, (.roles | join(",")), (if .until then (.until.seq, ([.until.hash] + (.until.also // []) | join(" "))) else ("", "") end), .label]
		| map(tostring) | join("|")' "$tmp/trust.json" >"$tmp/devices"
	say "Vault $vault_id, trust $last_n of $(jq -r .time "$tmp/trust.json")."
}

# device ID looks a device up in the trust.
device() {
	IFS='|' read -r _ roles until_seq until_hash label < <(grep "^$1|" "$tmp/devices")
}

# --- Commits ---------------------------------------------------------------------------------

# A commit is commits/<device>/<folder>/<seq>-<kind><time>-<sha256>. These print its parts.
device_of() { printf '%s' "${1:8:16}"; }
seq_of() { printf '%d' "$((10#${1:36:10}))"; }
kind_of() { printf '%s' "${1:47:1}"; }
time_of() { printf '%d' "$((16#${1:48:10}))"; }

# list_commits lists all names that can be commits, and tells of numbers that are missing.
list_commits() {
	local folder='' names=$tmp/commits
	printf '%s\n' commits/*/*/* >"$tmp/found"
	grep -E '^commits/[0-9a-f]{16}/[0-9]{10}/[0-9]{10}-[spfmdct][0-9a-f]{10}-[0-9a-f]{64}$' "$tmp/found" |
		awk 'NR == FNR { split($0, d, "|"); known[d[1]]; next }
			substr($0, 9, 16) in known && int(substr($0, 37, 10) / 1024) == substr($0, 26, 10) + 0' "$tmp/devices" - >"$names"
	grep -vxFf "$names" "$tmp/found" | while IFS= read -r folder; do
		warn "$folder: not a commit of a device in the trust; left out"
	done
	awk -F/ '
		$2 != device { device = $2; next_seq = 1 }
		{ seq = substr($4, 1, 10) + 0 }
		seq > next_seq { print device, next_seq, seq - 1 }
		{ next_seq = seq + 1 }' "$names" |
		while read -r device from to; do
			warn "commits $from to $to of device $device are missing: snapshots among them cannot be found"
		done
}

# good_commit NAME verifies a commit and leaves its line in $tmp/commit.json.
good_commit() {
	local id
	id=$(device_of "$1")
	genuine "$1" && small "$1" 65536 && signed "$1" "$tmp/signers" "$id" coffer-commit || return 1
	jq -e --arg vault "$vault_id" --arg device "$id" --argjson seq "$(seq_of "$1")" \
		--arg kind "$(kind_of "$1")" --argjson time "$(time_of "$1")" '
		.v == 1 and .vault == $vault and .device == $device and .seq == $seq and (.time | fromdate) == $time
		and ({s: "snapshot", p: "progress", f: "forget", m: "move", d: "dismiss", c: "check", t: "drill"}[$kind]) == .kind' \
		"$tmp/stmt" >/dev/null || { why="it is not what its name says"; return 1; }
	counts "$1" "$id" || { why="its device was revoked before"; return 1; }
	cp "$tmp/stmt" "$tmp/commit.json"
}

# counts NAME DEVICE tells whether a commit counts: of a revoked device, only the commit that the
# trust names and its ancestors do.
counts() {
	device "$2"
	[[ $until_seq ]] || return 0
	[[ -f $tmp/ancestors.$2 ]] || ancestors "$2" >"$tmp/ancestors.$2"
	grep -qxF "${1##*/}" "$tmp/ancestors.$2"
}

# ancestors DEVICE prints the names of a revoked device's commits that still count. Names hold
# hashes, so the commit that the trust names vouches for all before it.
ancestors() {
	grep "^commits/$1/" "$tmp/commits" | tr '\n' '\0' | xargs -0 "${sha256[@]}" 2>/dev/null |
		awk '{ name = substr($0, 67) } substr(name, length(name) - 63) == substr($0, 1, 64) { print name }' |
		while IFS= read -r name; do
			IFS= read -r line <"$name" && printf '%s %s\n' "${name##*/}" "$line"
		done |
		jq -rRn --arg last "$until_hash" '
			[inputs | {key: .[:87], value: (.[88:] | fromjson | .prev)}] | from_entries as $prev
			| {todo: [$prev | keys[] | select(. as $name | $last | split(" ") | any(. as $h | $h != "" and ($name | endswith("-" + $h))))], seen: {}}
			| until(.todo == []; .todo[0] as $c | .todo |= .[1:]
				| if .seen[$c] or ($prev | has($c) | not) then . else .seen[$c] = true | .todo += $prev[$c] end)
			| .seen | keys[]'
}

# has_role ROLE tells whether the device looked up last has a role.
has_role() { [[ ",$roles," == *",$1,"* ]]; }

# forgotten NAME tells whether a forget names a snapshot, and none later withdrew
# it, by the times in their names.
forgotten() {
	local base=${1##*/} name time forget='' withdrawal=''
	while IFS= read -r name; do
		grep -qF "$base" "$name" 2>/dev/null && good_commit "$name" || continue
		time=${name##*/} && time=${time:12:10}
		if jq -e .withdraw "$tmp/commit.json" >/dev/null; then
			if has_role write && [[ $time > $withdrawal ]]; then withdrawal=$time; fi
		elif has_role forget && [[ $time > $forget ]]; then
			forget=$time
		fi
	done < <(grep -E '/[0-9]{10}-f[^/]*$' "$tmp/commits")
	[[ $forget > $withdrawal ]]
}

# snapshots prints the names of snapshots, oldest first.
snapshots() {
	grep -E '/[0-9]{10}-s[^/]*$' "$tmp/commits" | awk '{ print substr($0, 49, 10), $0 }' | sort | cut -d' ' -f2-
}

# read_body NAME opens a body into $tmp/body.json.
read_body() {
	[[ $1 =~ ^snapshots/[0-9a-f]{16}/[0-9]{10}-[0-9a-f]{64}$ ]] || { why="it is not the name of a body"; return 1; }
	genuine "$1" && small "$1" 20971520 || return 1
	unseal "$1" | zstd -dqc >"$tmp/body.json" 2>/dev/null || { why="it cannot be opened: $(tail -n 1 "$tmp/age")"; return 1; }
	jq -e --arg vault "$vault_id" '.v == 1 and .type == "snapshot" and .vault == $vault' "$tmp/body.json" >/dev/null ||
		{ why="it is not a body of this vault"; return 1; }
}

# label_of prints the label of the project whose commit was read last. All snapshots of a project
# have one, so it is read once.
label_of() {
	local id body
	id=$(jq -r .project "$tmp/commit.json")
	if [[ ! -f $tmp/label.$id ]]; then
		body=$(jq -r .body "$tmp/commit.json")
		read_body "$body" || { warn "$body: $why"; printf '?'; return; }
		printf '%b' "$(jq -r "$jq_prelude"' text("label")' "$tmp/body.json")" >"$tmp/label.$id"
	fi
	show "$(cat "$tmp/label.$id")"
}

# list prints all good snapshots, the newest last.
list() {
	local name marks
	printf '%-20s  %-16s  %-16s  %s\n' 'TIME (UTC)' 'SNAPSHOT' 'PROJECT' 'LABEL, DEVICE'
	while IFS= read -r name; do
		good_commit "$name" || { warn "$name: $why; left out"; continue; }
		cp "$tmp/commit.json" "$tmp/listed.json"
		marks=''
		forgotten "$name" && marks=' (forgotten)'
		cp "$tmp/listed.json" "$tmp/commit.json"
		device "$(device_of "$name")"
		printf '%-20s  %-16s  %-16s  %s, %s%s\n' "$(jq -r .time "$tmp/commit.json")" "${name:59:16}" \
			"$(jq -r .project "$tmp/commit.json")" "$(label_of)" "$(show "$label")" "$marks"
	done < <(snapshots)
}

# pick chooses the snapshot to restore and leaves its name in $snapshot.
pick() {
	local name found=''
	if [[ $want ]]; then
		want=$(printf '%s' "$want" | tr '[:upper:]' '[:lower:]')
		[[ $want =~ ^[0-9a-f]{4,64}$ ]] || die "-s $want: want four or more digits of a snapshot's ID"
		found=$(snapshots | grep -E -- "-$want[^/]*\$") || die "there is no snapshot $want"
		[[ $found != *$'\n'* ]] || die "-s $want could be any of:"$'\n'"$found"
		good_commit "$found" || die "$found: $why"
		snapshot=$found
		return
	fi
	while IFS= read -r name; do
		good_commit "$name" || { warn "$name: $why; left out"; continue; }
		cp "$tmp/commit.json" "$tmp/picked.json"
		forgotten "$name" && continue
		cp "$tmp/picked.json" "$tmp/commit.json"
		if [[ $project && $project != "$(jq -r .project "$tmp/commit.json")" && $project != "$(label_of)" ]]; then
			continue
		fi
		snapshot=$name
		return
	done < <(snapshots | sort -r -t/ -k4.13,4.22)
	die "there is no good snapshot${project:+ of project $project}"
}

# check_witness looks for the commit that has a witness.
check_witness() {
	local name
	[[ $witness =~ ^[0-9a-fA-F]{16,64}$ ]] || die "-e $witness: want the 16 digits of a witness"
	witness=$(printf '%s' "$witness" | tr '[:upper:]' '[:lower:]')
	while IFS= read -r name; do
		good_commit "$name" && return
	done < <(grep -E -- "-$witness[^/]*\$" "$tmp/commits")
	die "no good commit here has the witness $witness: this copy is older than what was seen then, or damaged"
}

# check_heads looks for the newest commits of other devices that the snapshot's device had seen.
check_heads() {
	local id base
	while read -r id base; do
		grep -q "^commits/$id/.*/$base\$" "$tmp/commits" ||
			warn "commit $base of device $id had been seen when this snapshot was made, and is gone"
	done < <(jq -r '.heads[]? | "\(.device) \(.name)"' "$tmp/commit.json")
}

# --- Packs -----------------------------------------------------------------------------------

# read_ledger NAME [DEPTH] prints a line "series number pack" for each pack that a ledger names, or
# what stands in for it, and the names of its rolls to $tmp/rolls.
read_ledger() {
	local depth=${2:-0} reason
	list_ledger "$1" "$depth" && return 0
	reason=$why
	stand_in "$1" "$depth" && { warn "$1: $reason; another list stands in for it"; return 0; }
	why=$reason
	return 1
}

# max_moves is how often a chunk may have been moved on, or a list stood in for.
max_moves=256

# stand_in NAME DEPTH prints what a move names in the place of a ledger or roll. What stands in may
# be lost in its turn: $tmp/lost has what was tried.
stand_in() {
	local old body ledger tried=$tmp/lost/${1: -64}
	: >"$tmp/some.lost"
	(($2 > 0)) || rm -f "$tmp"/lost/*
	[[ ! -f $tried ]] && (($2 < max_moves)) || return 1
	: >"$tried"
	find_moves
	while read -r old body ledger; do
		if [[ $old == "$1" && $body == null ]] && read_ledger "$ledger" $(($2 + 1)) >"$tmp/instead.$2"; then
			cat "$tmp/instead.$2"
			rm -f "$tried"
			return 0
		fi
	done <"$tmp/moves"
	return 1
}

# name_old FILE adds, to lines "series number pack", those that moves replace. Where a list is lost
# that named such a pack, nobody says which object it was: its name has zeros for a hash, so it counts
# as gone, and the moves of its number are followed.
name_old() {
	[[ -f $tmp/some.lost ]] || return 0
	awk -v packs="$1" '
		BEGIN { while ((getline line < packs) > 0) { split(line, f, " "); named[f[1] " " f[2]] } }
		!/^packs\// { next }
		{ split($1, part, "/"); k = part[2] " " sprintf("%d", substr(part[4], 1, 10)) }
		!(k in named) { named[k]; printf "%s %s-%064d\n", k, substr($1, 1, length($1) - 65), 0 }' "$tmp/moves" >"$tmp/old"
	cat "$tmp/old" >>"$1"
}

# list_ledger is read_ledger for a ledger that is there.
list_ledger() {
	local kind series folder rest bits roll head reason list=$tmp/ledger.$2
	[[ $1 =~ ^ledgers/[0-9a-f]{16}/[0-9]{10}-[0-9a-f]{64}$ ]] || { why="it is not the name of a ledger"; return 1; }
	genuine "$1" && small "$1" 67108864 || return 1
	jq -rn --arg vault "$vault_id" "$jq_prelude"'
		def numbers: bytes as $b | [range(1024) | select(($b[. / 8 | floor] / pow(2; . % 8) | floor) % 2 == 1)] | map(tostring) | join(",");
		input | if .v == 1 and .type == "ledger" and .vault == $vault then empty else error("not a ledger of this vault") end,
		(inputs | if .packs then .series as $s | .packs[] | "P \($s) - \(.)"
			else "R \(.series) \(.folder) \(.roll) \(if .all then "all" else .bits | numbers end)" end)' \
		"$1" >"$list" 2>/dev/null || { why="it is not a ledger of this vault"; return 1; }
	while read -r kind series folder rest bits; do
		if [[ $kind == P ]]; then
			printf '%s %s\n' "$series" "$rest"
			continue
		fi
		roll=rolls/$series/$folder-$rest why=
		head="{\"v\":1,\"type\":\"roll\",\"series\":\"$series\",\"folder\":\"$folder\","
		if genuine "$roll" && small "$roll" 131072 && [[ $(sed 1q "$roll") == "$head"* ]]; then
			printf '%s\n' "$roll" >>"$tmp/rolls"
			sed 1d "$roll" >"$tmp/lines.$2"
		else
			reason=${why:-it is not that roll}
			stand_in "$roll" "$2" >"$tmp/roll.$2" ||
				{ warn "$roll: $reason; the packs that it lists are not known"; continue; }
			warn "$roll: $reason; another list stands in for it, which may lack some"
			awk -v series="$series" -v folder="$folder" '
				$1 == series && int($2 / 1024) == folder + 0 { print substr($3, 35) }' "$tmp/roll.$2" >"$tmp/lines.$2"
		fi
		awk -v series="$series" -v bits="$bits" '
			BEGIN { n = split(bits, list, ","); for (i = 1; i <= n; i++) need[list[i] + 0] }
			bits == "all" || (substr($1, 1, 10) % 1024) in need { print series, $1 }' "$tmp/lines.$2"
	done <"$list" | awk '{ n = substr($2, 1, 10) + 0; printf "%s %d packs/%s/%010d/%s\n", $1, n, $1, int(n / 1024), $2 }'
}

# check_packs reads names of packs and enters each, once, into $tmp/good, or with what is wrong
# with it into $tmp/bad.
check_packs() {
	grep -vxF -e - -f "$tmp/judged" | sort -u >"$tmp/todo"
	cat "$tmp/todo" >>"$tmp/judged"
	[[ -s $tmp/todo ]] || return 0
	tr '\n' '\0' <"$tmp/todo" | xargs -0 "${sha256[@]}" 2>/dev/null |
		awk '{ name = substr($0, 67) } substr(name, length(name) - 63) == substr($0, 1, 64) { print name }' >"$tmp/fine"
	cat "$tmp/fine" >>"$tmp/good"
	grep -vxFf "$tmp/fine" "$tmp/todo" | while IFS= read -r name; do
		genuine "$name"
		printf '%s %s\n' "$name" "$why" >>"$tmp/bad"
	done
}

# tell_bad tells of each bad pack once. A pack that is gone harms nothing if moves say where all of
# its chunks are now: $tmp/unplaced names the packs of which this is not so.
tell_bad() {
	local name reason
	while read -r name reason; do
		if grep -qxF "$name" "$tmp/unplaced"; then
			warn "$name: $reason"
		elif [[ $reason == "it is missing" ]]; then
			say "  $name is gone; its chunks are read from where they were moved to"
		else
			warn "$name: $reason; its chunks are read from where they were moved to"
		fi
		printf '%s\n' "$name" >>"$tmp/told"
	done < <(awk -v told="$tmp/told" 'BEGIN { while ((getline line < told) > 0) seen[line] } !($1 in seen)' "$tmp/bad")
}

# find_moves lists, in order of time, which commits say where the chunks of which packs are now, and
# what stands in for ledgers and rolls: those have null for a map.
find_moves() {
	[[ ! -f $tmp/moves ]] || return 0
	: >"$tmp/moves"
	local name role
	while IFS= read -r name; do
		good_commit "$name" || { warn "$name: $why; left out"; continue; }
		role=write
		jq -e '.repack or (.body | not)' "$tmp/commit.json" >/dev/null && role=maintain
		has_role "$role" || { warn "$name: its device has no role $role; left out"; continue; }
		jq -r '.body as $b | .ledger as $l | .old[] | "\(.) \($b) \($l)"' "$tmp/commit.json" >>"$tmp/moves"
	done < <(grep -E '/[0-9]{10}-m[^/]*$' "$tmp/commits" | sort -t/ -k4.13,4.22)
}

# open_move BODY LEDGER prints a line "id pack offset" for each chunk of a move.
open_move() {
	local map=$tmp/map.${1##*/}
	if [[ ! -f $map ]]; then
		: >"$map"
		genuine "$1" && small "$1" 67108864 && read_ledger "$2" >"$tmp/move.packs" || { warn "$1 or $2: $why"; return; }
		name_old "$tmp/move.packs"
		unseal "$1" | zstd -dqc 2>/dev/null >"$tmp/move" || { warn "$1: it cannot be opened"; return; }
		jq -rn 'foreach inputs as $l ({}; if $l | type == "object" then {t: $l.series} else .r = $l end;
			select(.r) | "- 0 \(.r[0]) \(.t[.r[1]]) \(.r[2]) \(.r[3]) 0")' "$tmp/move" |
			name_packs "$tmp/move.packs" | awk '{ print $2, $3, $4 }' >"$map"
	fi
	cat "$map"
}

# name_packs PACKS turns lines "tag depth id series number offset length" into
# "tag id pack offset length", pack being - if PACKS does not name it.
name_packs() {
	awk -v packs="$1" '
		BEGIN { while ((getline line < packs) > 0) { split(line, f, " "); name[f[1] " " f[2]] = f[3] } }
		{ k = $4 " " $5; print $1, $3, ($3 == "-" ? "=" : k in name ? name[k] : "-"), $6, $7 }'
}

# place reads lines "tag depth id series number offset length" from a file and prints
# "tag pack offset length". Where a pack is missing or bad, moves are consulted; where that does
# not help, pack is -. First come the moves that name the pack; if there is no other way, those of
# another pack of its number: what they have of a chunk has its ID.
place() {
	local how
	name_packs "$tmp/packs" <"$1" >"$tmp/named"
	cut -d' ' -f3 "$tmp/named" | grep -vx = | check_packs
	for how in name number; do
		follow "$how"
		[[ -s $tmp/unplaced ]] || break
	done
	cat "$tmp/found"
	tell_bad
}

# key is a function for awk: what of the name of a pack counts when moves are looked for.
key='function key(p) { return how == "name" ? p : substr(p, 1, length(p) - 65) }
'

# follow HOW goes from $tmp/named, for chunks of bad packs, to where moves have them, and leaves what
# place prints in $tmp/found.
follow() {
	local old body ledger count=0
	: >"$tmp/edges"
	: >"$tmp/unplaced"
	while (($(wc -l <"$tmp/bad") > count)); do
		count=$(wc -l <"$tmp/bad")
		find_moves
		while read -r old body ledger; do
			open_move "$body" "$ledger" |
				awk -v how="$1" -v old="$old" -v wanted="$tmp/named" "$key"'
					BEGIN { while ((getline line < wanted) > 0) { split(line, f, " "); want[f[2]] } }
					$1 in want { print key(old), $0 }'
		done < <(awk -v how="$1" "$key"'NR == FNR { bad[key($1)]; next } key($1) in bad' "$tmp/bad" "$tmp/moves") >"$tmp/edges"
		cut -d' ' -f3 "$tmp/edges" | check_packs
	done
	awk -v how="$1" -v max="$max_moves" -v goods="$tmp/good" -v edges="$tmp/edges" -v unplaced="$tmp/unplaced" "$key"'
		function find(p, id, depth,   k, i) {
			if (p in good) { pack = p; return 1 }
			k = key(p) " " id
			if (been[k] == NR) return 0 # moves lead in a circle, or here twice
			been[k] = NR
			for (i = 1; depth < max && i <= n[k]; i++) {
				at = offset[k, i]
				if (find(to[k, i], id, depth + 1)) return 1
			}
			return 0
		}
		BEGIN {
			while ((getline line < goods) > 0) good[line]
			while ((getline line < edges) > 0) {
				split(line, f, " "); k = f[1] " " f[2]; i = ++n[k]; to[k, i] = f[3]; offset[k, i] = f[4]
			}
		}
		$3 == "=" { print $1, "=", 0, 0; next }
		{ at = $4 }
		find($3, $2, 0) { print $1, pack, at, $5; next }
		{ print $1, "-", 0, $5; print $3 > unplaced }' "$tmp/named" >"$tmp/found"
}

# open_pack NAME decrypts a pack into a scratch file, once.
open_pack() {
	[[ $1 != "$open_name" ]] || return 0
	open_name='' open_file=$tmp/content/${1##*/}
	if [[ ! -f $open_file ]]; then
		unseal "$1" | zstd -dqc >"$open_file.part" 2>>"$tmp/age" ||
			{ warn "$1: it cannot be opened: $(tail -n 1 "$tmp/age")"; rm -f "$open_file.part"; return 1; }
		mv "$open_file.part" "$open_file"
	fi
	open_length=$(wc -c <"$open_file") && open_name=$1
}
open_name=''

# take PACK OFFSET LENGTH prints a chunk, or a part of one.
take() {
	[[ $1 != - ]] && open_pack "$1" || return 1
	(($2 + $3 <= open_length)) || { warn "$1: its content is too short"; return 1; }
	cut_out "$open_file" "$2" "$3"
}

# --- The manifest ----------------------------------------------------------------------------

# read_tree LEVEL ID SERIES NUMBER OFFSET LENGTH leaves the segments that hold the entries of a
# tree, one after another, in $tmp/tree.
read_tree() {
	local level=$1 tag pack offset length
	shift
	printf '%s\n' "- 0 $*" >"$tmp/nodes"
	while :; do
		place "$tmp/nodes" >"$tmp/placed"
		while read -r tag pack offset length; do
			take "$pack" "$offset" "$length" || warn "a part of the list of files is lost with its pack; what it lists is missing from here on"
		done <"$tmp/placed" >"$tmp/tree"
		((level-- > 0)) || break
		jq -rn 'foreach inputs as $l ({}; if $l.series then {t: $l.series} else .r = $l.ref end;
			select(.r) | "- 0 \(.r[0]) \(.t[.r[1]]) \(.r[2]) \(.r[3]) \(.r[4])")' "$tmp/tree" >"$tmp/nodes" || return 1
	done
}

# read_entries turns $tmp/tree into files of lines that the shell can follow:
#   $tmp/plan.E  type|path|mode|uid|gid|mtime|size|link|extra|error, one line an entry
#   $tmp/plan.R  entry depth id series number offset length, the refs of entries by number
#   $tmp/plan.H  entry offset length, the holes of sparse files
#   $tmp/plan.X  path|name|value, extended attributes; a value of @ is the next ref in plan.Q
read_entries() {
	rm -f "$tmp"/plan.*
	: >"$tmp/plan.E"
	: >"$tmp/plan.R"
	: >"$tmp/plan.H"
	: >"$tmp/plan.X"
	: >"$tmp/plan.Q"
	jq -rn "$jq_prelude"'
		def digits: tostring | ("000000000" + .)[-9:];
		def moment: if .[0] < -2208988800 or .[0] > 253402300799 then "" # beyond what touch can be told
			else (.[0] | todate | rtrimstr("Z")) + "." + (.[1] | digits) + "Z" end;
		def ref($t; $depth): "\($depth) \(.[0]) \($t[.[1]]) \(.[2]) \(.[3]) \(.[4])";
		def twin: # what names of one file have in common
			if .link then .link + ([.type, .size, .mtime, .mode, .rdev, .target, .target64, .hash, [.refs[]?[0]]] | tostring | @uri) else "" end;
		foreach inputs as $l ({n: 0}; if $l.type then .n += 1 | .e = $l else .t = $l.series | .e = null end;
			select(.e) | .n as $n | .t as $t | .e
			| text("path") as $path
			| "E " + ([.type, $path, .mode // 0, .uid // 0, .gid // 0, (.mtime // [0, 0] | moment), .size // 0, twin,
				(if .type == "c" or .type == "b" then .rdev // [0, 0] | "\(.[0]) \(.[1])" else text("target") end), text("error")] | map(tostring) | join("|")),
			(if .holes then "R \($n) 0 - - 0 0 0" else empty end),
			(.refs[]? | "R \($n) " + ref($t; 0)),
			(.list // {refs: []} | .depth as $d | .refs[] | "R \($n) " + ref($t; $d)),
			(.holes[]? | "H \($n) \(.[0]) \(.[1])"),
			(.xattrs[]? | if .ref then "Q - " + (.ref | ref($t; 0)) else empty end,
				"X " + ([$path, text("name"), if .ref then "@" else .value end] | join("|"))))' "$tmp/tree" |
		awk -v base="$tmp/plan." '{ print substr($0, 3) > (base substr($0, 1, 1)) }'
}

# expand_lists replaces, in $tmp/plan.R, the refs of list chunks by the refs that these hold.
expand_lists() {
	local tag pack offset length
	while awk '$2 > 0' "$tmp/plan.R" >"$tmp/lists" && [[ -s $tmp/lists ]]; do
		place "$tmp/lists" >"$tmp/placed"
		while read -r tag pack offset length; do
			take "$pack" "$offset" "$length" || echo '{"series":[]}' # its file will come out short
		done <"$tmp/placed" >"$tmp/listed"
		jq -rn 'foreach inputs as $l ({k: 0}; if $l | type == "object" then {k: (.k + 1), t: $l.series} else .r = $l end;
			select(.r) | "\(.k) \(.r[0]) \(.t[.r[1]]) \(.r[2]) \(.r[3]) \(.r[4])")' "$tmp/listed" >"$tmp/listed.refs" || return 1
		awk -v refs="$tmp/listed.refs" '
			function advance() { at = (getline line < refs) > 0 ? line + 0 : 0 }
			BEGIN { advance() }
			$2 == 0 { print; next }
			{ for (k++; at == k; advance()) { split(line, f, " "); print $1, $2 - 1, f[2], f[3], f[4], f[5], f[6] } }' \
			"$tmp/plan.R" >"$tmp/expanded"
		mv "$tmp/expanded" "$tmp/plan.R"
	done
}

# plan_copies turns $tmp/plan.R into $tmp/copies, the work to be done for each entry in order:
#   entry pack offset length last   append this stretch; last is 1 when the pack is needed no more
#   entry = offset 0 0              leave a hole up to this offset
#   entry - 0 length 0              this stretch is lost
plan_copies() {
	place "$tmp/plan.R" |
		awk -v OFMT=%.0f -v CONVFMT=%.0f -v holes="$tmp/plan.H" '
			function skip() { while (i <= n[e] && from[e, i] == pos) { pos += len[e, i++]; print e, "=", pos, 0 } }
			BEGIN {
				while ((getline line < holes) > 0) {
					split(line, f, " "); i = ++n[f[1]]; from[f[1], i] = f[2] + 0; len[f[1], i] = f[3] + 0
				}
			}
			$1 != e { if (e in n) skip(); e = $1; pos = 0; i = 1 }
			!(e in n) { print; next }
			{
				for (at = $3; $4 > 0; $4 -= part) {
					skip()
					part = i <= n[e] && from[e, i] - pos < $4 ? from[e, i] - pos : $4 + 0
					print e, $2, at, part
					at += part; pos += part
				}
			}
			END { if (e in n) skip() }' >"$tmp/work"
	awk 'NR == FNR { last[$2] = FNR; next } { print $0, last[$2] == FNR && $2 != "=" && $2 != "-" }' "$tmp/work" "$tmp/work" >"$tmp/copies"
}

# --- Writing ---------------------------------------------------------------------------------

lost() { warn "not restored: $1: $2"; }

# enter FOLDER makes sure that a folder below $at is one and that no link leads there: nothing is
# ever written through a link that came from the snapshot.
enter() {
	[[ ! ${entered+set} || $1 != "$entered" ]] || return 0
	local rest=$1 sofar=$at
	while :; do
		[[ ! -L $sofar ]] && { [[ -d $sofar ]] || mkdir "$sofar" 2>/dev/null; } || return 1
		[[ $rest ]] || break
		sofar=$sofar/${rest%%/*}
		[[ $rest == */* ]] && rest=${rest#*/} || rest=''
	done
	entered=$1
}

next_copy() { read -r c_entry c_pack c_offset c_length c_last <&4 || c_entry=''; }

# write_file OUT SIZE makes a regular file from the copies of entry number $n.
write_file() {
	local good=1 length=0
	: >"$1" || good=''
	while [[ $c_entry == "$n" ]]; do
		if [[ $c_pack == = ]]; then
			dd if=/dev/null of="$1" bs=1 seek="$c_offset" 2>/dev/null || good=''
			length=$c_offset
		elif [[ $good ]] && take "$c_pack" "$c_offset" "$c_length" >>"$1"; then
			length=$((length + c_length))
		else
			good=''
		fi
		[[ $c_last != 1 ]] || forget_pack "$c_pack"
		next_copy
	done
	[[ $good && $length == "$2" ]] && return 0
	rm -f -- "$1"
	return 1
}

forget_pack() {
	rm -f "$tmp/content/${1##*/}"
	[[ $open_name != "$1" ]] || open_name=''
}

# skip_copies passes over the copies of entry number $n.
skip_copies() {
	while [[ $c_entry == "$n" ]]; do
		[[ $c_last != 1 ]] || forget_pack "$c_pack"
		next_copy
	done
}

# write_entries makes all that $tmp/plan.E lists below $at, and notes what has been made.
write_entries() {
	local n=0 type path mode uid gid mtime size link extra error name out first
	unset entered
	# Of the names of one file, all but the first link to it.
	awk -F'|' -v OFS='|' '$8 != "" { k = $8; if (k in first) $8 = first[k]; else { first[k] = $2; $8 = "" } } { print }' \
		"$tmp/plan.E" >"$tmp/plan"
	: >"$tmp/made.dirs"
	: >"$tmp/made.files"
	exec 3<"$tmp/plan" 4<"$tmp/copies" 5>"$tmp/made.dirs" 6>"$tmp/made.files"
	next_copy
	while IFS='|' read -r type path mode uid gid mtime size link extra error <&3; do
		n=$((n + 1))
		if make_entry; then
			printf -v mode '%05o' "$mode"
			if [[ $type == d ]]; then
				printf '%s|%s|%s|%s\n' "$path" "$mode" "$uid:$gid" "$mtime" >&5
			else
				printf '%s|%s|%s|%s|%s\n' "$path" "$mode" "$uid:$gid" "$mtime" "$type" >&6
			fi
		fi
		skip_copies
		((n % 1000)) || say "  $n entries"
	done
	exec 3<&- 4<&- 5>&- 6>&-
	entries=$n
}

# make_entry makes one entry. It uses the variables of write_entries.
make_entry() {
	local why=''
	printf -v name '%b' "$path"
	printf -v error '%b' "$error"
	out=$at/$name
	[[ $name ]] || out=$at
	case /$name/ in
	//) ;;
	*//* | */./* | */../*) why='its name could lead elsewhere' ;;
	esac
	[[ $path$extra != *'\x00'* ]] || why='its name holds a zero byte'
	if [[ $why ]]; then
		lost "$name" "$why"
		return 1
	fi
	if [[ $error ]]; then
		warn "not saved: $name: $error"
		[[ $type$size != f0 && $type$extra != l ]] || return 1
	fi
	if [[ $name == */* ]]; then
		enter "${name%/*}" || { lost "$name" "its folder is not there"; return 1; }
	elif [[ $name ]]; then
		enter '' || { lost "$name" "its folder is not there"; return 1; }
	fi
	if [[ $type == d ]]; then
		[[ -d $out && ! -L $out ]] || mkdir "$out" 2>/dev/null || { lost "$name" "the folder could not be made"; return 1; }
		return 0
	fi
	if [[ -e $out || -L $out ]]; then
		lost "$name" "something else has its name here"
		return 1
	fi
	if [[ $link ]]; then
		printf -v first '%b' "$link"
		ln -P -- "$at/$first" "$out" 2>/dev/null && return 0
	fi
	case $type in
	f) write_file "$out" "$size" || { lost "$name" "some of its content is missing"; return 1; } ;;
	l) printf -v extra '%b' "$extra" && ln -s -- "$extra" "$out" 2>/dev/null ;;
	p) mkfifo -- "$out" 2>/dev/null ;;
	c | b)
		if ((EUID != 0)); then
			lost "$name" "only root can make a device"
			return 1
		fi
		# shellcheck disable=SC2086 # two numbers
		mknod -- "$out" "$type" $extra 2>/dev/null
		;;
	*) false ;;
	esac || { lost "$name" "it could not be made"; return 1; }
}

# batch COMMAND reads lines "key|path" and runs COMMAND KEY PATH... for each stretch of lines that
# share a key.
batch() {
	local key='' next path paths=()
	while IFS='|' read -r next path; do
		if [[ ${#paths[@]} -gt 0 && ( $next != "$key" || ${#paths[@]} -ge 200 ) ]]; then
			"$@" "$key" "${paths[@]}"
			paths=()
		fi
		key=$next
		printf -v path '%b' "$path"
		paths+=("$at${path:+/$path}")
	done
	[[ ${#paths[@]} -eq 0 ]] || "$@" "$key" "${paths[@]}"
}

set_owner() { chown -h -- "$@"; }
set_mode() { chmod -- "$@"; }
set_time() {
	local time=$1
	shift
	[[ $time ]] || { printf '%s\n' "$@" | sed 's/$/: its time is beyond what touch takes/'; return; } >&2
	touch -c -h -m -d "$time" -- "$@"
}

# finish gives all that was made its owner, attributes, time and mode. Folders get their mode last,
# from the bottom up: it may be one that lets nobody in.
finish() {
	cut -d'|' -f1-4 "$tmp/made.files" | cat "$tmp/made.dirs" - >"$tmp/made"
	if ((EUID == 0)); then
		awk -F'|' '{ print $3 "|" $1 }' "$tmp/made" | sort | batch set_owner
	fi
	set_xattrs
	awk -F'|' '{ print $4 "|" $1 }' "$tmp/made" | sort | batch set_time
	awk -F'|' '$5 != "l" { print $2 "|" $1 }' "$tmp/made.files" | safe_modes | sort | batch set_mode
	awk -F'|' '{ l[NR] = $2 "|" $1 } END { for (i = NR; i > 0; i--) print l[i] }' "$tmp/made.dirs" | batch set_mode
} 2>>"$tmp/errors"

# safe_modes takes the setuid and setgid bits away where the owners are not restored.
safe_modes() {
	if ((EUID == 0)); then
		cat
		return
	fi
	awk -F'|' -v OFS='|' -v note="$tmp/setuid" '
		substr($1, 2, 1) >= 2 { print > note; $1 = "0" substr($1, 2, 1) % 2 substr($1, 3) } { print }'
}

# set_xattrs sets extended attributes, if setfattr is there and we may.
set_xattrs() {
	local path name value tag pack offset length
	[[ -s $tmp/plan.X ]] || return 0
	if ! command -v setfattr >/dev/null; then
		warn "extended attributes and access control lists of $(cut -d'|' -f1 "$tmp/plan.X" | sort -u | wc -l) entries were not restored: install setfattr"
		return
	fi
	place "$tmp/plan.Q" >"$tmp/big"
	exec 7<"$tmp/big" 8<"$tmp/plan.X"
	while IFS='|' read -r path name value <&8; do
		printf -v path '%b' "$path"
		printf -v name '%b' "$name"
		if [[ $value == @ ]]; then
			read -r tag pack offset length <&7
			value=$(set -o pipefail; take "$pack" "$offset" "$length" | base64 | tr -d '\n') ||
				{ lost "$path" "its attribute $name"; continue; }
		fi
		path=$at${path:+/$path}
		[[ -e $path || -L $path ]] || continue
		if [[ $name == security.* && $EUID -ne 0 ]]; then
			echo "attributes $name of one entry or more: only root can set them" >>"$tmp/errors"
			continue
		fi
		setfattr -h -n "$name" -v "${value:+0s$value}" -- "$path"
	done
	exec 7<&- 8<&-
}

# --- All together ----------------------------------------------------------------------------

# root_name PATH names a root by the last part of its path, with a number if that name is taken.
root_name() {
	local base=$1 i=2
	while [[ $base == */ && $base != / ]]; do base=${base%/}; done
	base=${base##*/}
	case $base in '' | . | ..) base=root ;; esac
	name=$base
	while [[ -e $target/$name || -L $target/$name ]]; do
		name=$base-$i
		i=$((i + 1))
	done
}

# restore_root I restores one root of the body to where it belongs.
restore_root() {
	local path name level count refs
	path=$(jq -r --argjson i "$1" "$jq_prelude"' .roots[$i] | text("path") + "."' "$tmp/body.json")
	printf -v path '%b' "${path%.}"
	read -r level count refs < <(jq -r --argjson i "$1" '. as $b | .roots[$i]
		| "\(.level) \(.count) \(.ref[0]) \($b.series[.ref[1]]) \(.ref[2]) \(.ref[3]) \(.ref[4])"' "$tmp/body.json")
	# shellcheck disable=SC2086 # five words
	read_tree "$level" $refs && read_entries && expand_lists && plan_copies ||
		{ warn "the list of files of $path cannot be read"; return; }
	at=$target
	root_name "$path"
	if ((roots > 1)) || [[ $(head -c 2 "$tmp/plan.E") != d\| ]]; then
		at=$target/$name
	fi
	say "Restoring $path to $at, $count entries."
	write_entries
	: >"$tmp/errors"
	finish
	sort -u "$tmp/errors" | while IFS= read -r line; do warn "not restored: $line"; done
	rm -f "$tmp"/content/*
	open_name=''
	((entries == count)) || warn "the snapshot has $count entries of $path, and only $entries could be found"
}

read_kit
find_trust
list_commits
[[ ! $witness ]] || check_witness
if [[ $action == list ]]; then
	list
	[[ ! -s $tmp/problems ]] || exit 3
	exit 0
fi

pick
device "$(device_of "$snapshot")"
say "Snapshot ${snapshot:59:64}"
say "of $(jq -r .time "$tmp/commit.json"), made by $label; newer ones: $(snapshots | sed "1,\\|^$snapshot\$|d" | wc -l)."
check_heads
ledger=$(jq -r .ledger "$tmp/commit.json") body=$(jq -r .body "$tmp/commit.json")
: >"$tmp/rolls"
read_ledger "$ledger" >"$tmp/packs" || die "$ledger: $why. Without it the packs of this snapshot have no names. Try another snapshot"
if [[ $action == names ]]; then
	{ if [[ -f $ledger ]]; then printf '%s\n' "$ledger"; fi; printf '%s\n' "$body"; cat "$tmp/rolls"; cut -d' ' -f3 "$tmp/packs"; } | sort
	[[ ! -s $tmp/problems ]] || exit 3
	exit 0
fi
for name in judged good bad told; do
	: >"$tmp/$name"
done
read_body "$body" || die "$body: $why. Try another snapshot"
name_old "$tmp/packs"
roots=$(jq '.roots | length' "$tmp/body.json")
say "Project $(label_of), roots: $roots. $(jq -r '.counts | "\(.files) files, \(.dirs) folders, \(.bytes) bytes."' "$tmp/body.json")"
jq -e .partial "$tmp/body.json" >/dev/null && warn "the snapshot is partial: $(jq -r .counts.unread "$tmp/body.json") entries could not be read when it was made"
if jq -e .newest "$tmp/body.json" >/dev/null; then
	say "The vault holds other projects of this device too: see -l."
fi
for ((i = 0; i < roots; i++)); do
	restore_root "$i"
done
((EUID == 0)) || say "Owners and groups were not restored: that needs root."
[[ ! -s $tmp/setuid ]] || say "Setuid and setgid bits of $(wc -l <"$tmp/setuid") files were not restored: that needs root."
if [[ -s $tmp/problems ]]; then
	say "Restored, with $(wc -l <"$tmp/problems") things to note. They are marked with ! above."
	exit 3
fi
say "Restored. Every object had the bytes that its name says, and every signature was good."
