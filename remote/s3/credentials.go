package s3

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// maxCredentials bounds a credentials file, in bytes.
const maxCredentials = 64 << 10

// credentialsFile returns the file to take credentials from: the one named, or
// what the service manager passed, or "" for the default chain.
func credentialsFile(named string) string {
	if named != "" {
		return named
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		for _, name := range []string{"coffer-s3", "aws-credentials"} {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	return ""
}

// A fileProvider reads credentials from a file each time it is asked, which the
// cache around it does once, and again after they were refused.
type fileProvider struct {
	path    string
	profile string // "" is default, or the only one
}

func (p fileProvider) Retrieve(context.Context) (aws.Credentials, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("read credentials: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("read credentials: %w", err)
	}
	c, err := parseCredentials(b, p.profile)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("read credentials in %s: %w", p.path, err)
	}
	c.Source = "coffer credentials file"
	return c, nil
}

// parseCredentials reads an AWS credentials file, or two or three bare lines:
// access key ID, secret, session token. Blank lines and comments are passed
// over. Errors never repeat a value.
func parseCredentials(b []byte, profile string) (aws.Credentials, error) {
	if len(b) > maxCredentials {
		return aws.Credentials{}, fmt.Errorf("the file is larger than %d bytes", maxCredentials)
	}
	lines, err := usefulLines(b)
	if err != nil {
		return aws.Credentials{}, err
	}
	if len(lines) == 0 {
		return aws.Credentials{}, errors.New("the file is empty")
	}
	if !strings.HasPrefix(lines[0], "[") && !strings.Contains(lines[0], "=") {
		return bareCredentials(lines)
	}
	profiles, err := parseProfiles(lines)
	if err != nil {
		return aws.Credentials{}, err
	}
	return pickProfile(profiles, profile)
}

const (
	keyID  = "aws_access_key_id"
	secret = "aws_secret_access_key"
	token  = "aws_session_token"
)

func usefulLines(b []byte) ([]string, error) {
	var lines []string
	sc := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		if line != "" && line[0] != '#' && line[0] != ';' {
			lines = append(lines, line)
		}
	}
	return lines, sc.Err()
}

func bareCredentials(lines []string) (aws.Credentials, error) {
	if len(lines) < 2 || len(lines) > 3 {
		return aws.Credentials{}, fmt.Errorf("want an access key ID and a secret on two lines, not %d lines", len(lines))
	}
	c := aws.Credentials{AccessKeyID: lines[0], SecretAccessKey: lines[1]}
	if len(lines) == 3 {
		c.SessionToken = lines[2]
	}
	return c, nil
}

// parseProfiles reads the lines of an ini file; settings before the first
// section belong to the default profile.
func parseProfiles(lines []string) (map[string]map[string]string, error) {
	profiles := make(map[string]map[string]string)
	section := "default"
	for i, line := range lines {
		if strings.HasPrefix(line, "[") {
			name, ok := strings.CutSuffix(line[1:], "]")
			if !ok {
				return nil, fmt.Errorf("section header %d is not closed", i+1)
			}
			section = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "profile "))
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("setting %d has no =", i+1)
		}
		if profiles[section] == nil {
			profiles[section] = make(map[string]string)
		}
		profiles[section][strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
	}
	return profiles, nil
}

func pickProfile(profiles map[string]map[string]string, profile string) (aws.Credentials, error) {
	values, ok := profiles[profile]
	if profile == "" {
		values, ok = profiles["default"]
		if !ok && len(profiles) == 1 {
			for _, values = range profiles {
				ok = true
			}
		}
	}
	if !ok {
		return aws.Credentials{}, fmt.Errorf("no profile %q", profile)
	}
	c := aws.Credentials{AccessKeyID: values[keyID], SecretAccessKey: values[secret], SessionToken: values[token]}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return aws.Credentials{}, fmt.Errorf("%s or %s is missing", keyID, secret)
	}
	return c, nil
}

// A namedProvider marks what goes wrong in finding credentials, so that it is
// told apart from what the server says. Trouble on the network (single sign-on,
// a token service) stays what it is: worth a retry.
type namedProvider struct{ aws.CredentialsProvider }

func (p namedProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = &credentialsError{err}
	}
	return c, err
}

type credentialsError struct{ err error }

func (e *credentialsError) Error() string {
	// Where nothing is set up, the SDK's error is about the one source that is
	// switched off.
	if strings.Contains(e.err.Error(), "access disabled to EC2 IMDS") {
		return "no S3 credentials were found"
	}
	return "find S3 credentials: " + e.err.Error()
}

func (e *credentialsError) Unwrap() error { return e.err }
func (e *credentialsError) Is(target error) bool {
	return target == fs.ErrPermission && !netTrouble(e.err)
}
