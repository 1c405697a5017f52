package servers

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Assume returns the same server as seen by someone who may do no more than an
// access policy says: it has credentials of a session under that policy. MinIO
// only.
func (s *Server) Assume(ctx context.Context, policy []byte) (*Server, error) {
	client, err := s.plainClient()
	if err != nil {
		return nil, err
	}
	c := sts.New(sts.Options{
		Region: "us-east-1", BaseEndpoint: &s.Endpoint, HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}, nil
		}),
	})
	out, err := c.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::000000000000:role/any"), RoleSessionName: aws.String("test"), Policy: aws.String(string(policy)),
	})
	if err != nil {
		return nil, fmt.Errorf("assume a policy at %s: %w", s.Kind, err)
	}
	as := *s
	as.AccessKey, as.SecretKey, as.Token = *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken
	return &as, nil
}
