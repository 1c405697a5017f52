package main

import (
	"time"

	"coffer/vault/backup"
)

func backupSample(p *backup.Progress, total int64, t time.Duration) sample {
	files, read := p.Files.Load(), p.Read.Load()
	bytes := max(p.Bytes.Load(), read) // what is read of a file counts before the file is done
	var uploaded int64
	if s := p.Stats.Load(); s != nil {
		uploaded = s.Uploaded.Load()
	}
	s := sample{json: map[string]any{
		"files_done": files, "bytes_done": bytes, "bytes_read": read, "bytes_uploaded": uploaded,
		"seconds_elapsed": int64(t.Seconds()),
	}}
	if total > 0 {
		s.json["total_bytes"] = total
	}
	if c := p.Current.Load(); c != nil {
		s.current = *c
		s.json["current_file"] = *c
	}
	s.text = joined(plural(files, "file"), bytesText(bytes), rate(read, t), bytesText(uploaded)+" stored", left(bytes, total, t))
	return s
}

// backupEvent tells at once what a user should know.
func (d *door) backupEvent(e backup.Event) {
	if d.json {
		d.emitBackupEvent(e)
		return
	}
	switch e.Kind {
	case backup.Unread:
		d.note("not saved: %s: %v", safeName(e.Path), bareFile(e.Err))
	case backup.Changed:
		d.note("changed while it was read: %s", safeName(e.Path))
	case backup.Warning:
		d.note("warning: %s", plainText(e.Err.Error()))
	case backup.Restart:
		d.note("starting again: %s", plainText(e.Err.Error()))
	case backup.Excluded, backup.LeftOut:
		if d.verbose {
			d.note("left out: %s (%s)", safeName(e.Path), safeName(e.Why))
		}
	}
}

func (d *door) emitBackupEvent(e backup.Event) {
	kind := "error"
	switch e.Kind {
	case backup.Excluded, backup.LeftOut:
		if !d.verbose {
			return
		}
		kind = "verbose"
	case backup.Changed, backup.Warning, backup.Restart:
		kind = "warning"
	}
	fields := map[string]any{"event": string(e.Kind)}
	if e.Path != "" {
		fields["path"] = e.Path
	}
	if e.Err != nil {
		fields["error"] = e.Err.Error()
	}
	if e.Why != "" {
		fields["reason"] = e.Why
	}
	d.emit(kind, fields)
}
