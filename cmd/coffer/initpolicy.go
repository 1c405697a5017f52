package main

import (
	"fmt"
	"time"

	"coffer/remote/s3"
)

// printPolicy prints the access policy for the credentials of a vault that is
// on S3, or will be. It reads no more than the config.
func (d *door) printPolicy(maintain bool) error {
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	ch, err := d.choose(c, "", nil)
	if err != nil {
		return err
	}
	if !ch.found() {
		return usagef("usage:  coffer init --print-policy s3:https://host/bucket/prefix", "say which bucket the policy is for")
	}
	if ch.vault.Remote.Dir != "" {
		return usagef("only buckets have policies; in a folder, who may delete is a matter of its owner and mode",
			"%s is a folder", ch.vault.Remote)
	}
	loc, err := s3.ParseLocation(ch.vault.Remote.String())
	if err != nil {
		return err
	}
	o := s3.PolicyOptions{Maintain: maintain, Region: ch.vault.Region}
	if lock := lockOf(ch.vault, time.Now()); lock.For > 0 {
		o.LockDays = int(lock.For/(24*time.Hour)) + 2 // months differ, and days begin somewhere
	}
	policy, err := s3.Policy(loc, o)
	if err != nil {
		return err
	}
	if _, err := d.out.Write(policy); err != nil {
		return fmt.Errorf("print the policy: %w", err)
	}
	if !d.quiet {
		d.tellPolicy(maintain)
	}
	return nil
}

// tellPolicy says whom the policy is for and how it is put into effect.
func (d *door) tellPolicy(maintain bool) {
	who := "each machine that backs up"
	if maintain {
		who = "prunes, which delete; keep its credentials off the machines that back up"
	}
	d.note("a policy for %s", who)
	d.note("MinIO:  mc admin policy create ALIAS NAME FILE; mc admin policy attach ALIAS NAME --user USER")
	d.note("AWS:    aws iam put-user-policy --user-name USER --policy-name NAME --policy-document file://FILE")
	d.note("coffer doctor  then tries what the bucket enforces")
}
