package trust

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"coffer/vault/trust/canon"
)

// A VaultID names a vault: 32 random hex digits.
type VaultID string

// A DeviceID names a device in a vault: 16 random hex digits. It tells a
// stranger nothing; the device's name for humans is its label in the trust.
type DeviceID string

// A ProjectID names a project of a device: 16 random hex digits.
type ProjectID string

// NewVaultID returns a random ID.
func NewVaultID() VaultID { return VaultID(randomHex(16)) }

// NewDeviceID returns a random ID.
func NewDeviceID() DeviceID { return DeviceID(randomHex(8)) }

// NewProjectID returns a random ID.
func NewProjectID() ProjectID { return ProjectID(randomHex(8)) }

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails; the program ends if the system has no randomness
	return hex.EncodeToString(b)
}

// ParseVaultID checks the form of s.
func ParseVaultID(s string) (VaultID, error) {
	if err := canon.CheckHex(s, 32); err != nil {
		return "", fmt.Errorf("vault ID %.40q: %w", s, err)
	}
	return VaultID(s), nil
}

// ParseDeviceID checks the form of s.
func ParseDeviceID(s string) (DeviceID, error) {
	if err := canon.CheckHex(s, 16); err != nil {
		return "", fmt.Errorf("device ID %.40q: %w", s, err)
	}
	return DeviceID(s), nil
}

// ParseProjectID checks the form of s.
func ParseProjectID(s string) (ProjectID, error) {
	if err := canon.CheckHex(s, 16); err != nil {
		return "", fmt.Errorf("project ID %.40q: %w", s, err)
	}
	return ProjectID(s), nil
}
