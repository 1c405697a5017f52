package kit

// What a kit tells the human who finds it. No line is longer than Columns, and
// each is a comment: age refuses any other line that is not a secret.

const before = `# COFFER RECOVERY KIT
#
# This is the key to your backups.
#
#   - Whoever has it can read everything you ever backed up.
#   - Without it nobody can restore anything, not even you.
#
# WHAT TO DO NOW
#
#   1. Keep a copy away from this computer: print this page, or put this
#      text into your password manager or on a USB stick. Two copies in
#      two places are better than one.
#   2. Delete this file from this computer.
#   3. Run:  coffer kit confirm
#      It asks for your copy and proves that it opens your backups.
#
#   If someone else may have seen the kit, begin a new vault.
#
# THE SECRET is the next line. Never send it to anyone.
`

const after = `# HOW TO RESTORE, on any computer
#
#   Save this text as kit.txt, install Coffer, and run:
#
#     coffer restore --kit kit.txt latest --target DIR
#
#   Your files come back into the folder DIR. If the backups rest with a
#   storage service, you need the access keys of your account there too;
#   they are not in this kit.
#
# HOW TO RESTORE WITHOUT COFFER
#
#   Free tools are enough: age (1.3.0 or later; the 1.1.1 of Debian 12
#   is too old), zstd, jq, sha256sum and ssh-keygen. The page
#   docs/recovery.md that comes with Coffer has all steps, and a script
#   that does them. What is in a pack, a snapshot and the trust:
#
#     age -d -i kit.txt PACK | zstd -d > CHUNKS
#     age -d -i kit.txt SNAPSHOT | zstd -d | jq .
#     age -d -i kit.txt TRUST > trust.txt
#
#   Whether the trust, the list of devices, is genuine:
#
#     sed -n 's/^# root+*: //p' kit.txt | tr -d '\n' > signers
#     sed 1q trust.txt > stmt; sed 1d trust.txt > sig
#     ssh-keygen -Y verify -f signers -I coffer-root \
#       -n coffer-trust -s sig < stmt
#
# ABOUT THIS KIT (Coffer reads these lines; nothing in them is secret)
#
`
