using System.Net;
using System.Net.Http.Headers;

namespace TrainingSupervisor.Kubernetes;

/// <summary>Over the client's own HttpClient: its credentials (asked anew for each request), its certificates, its connections.</summary>
internal sealed class KubernetesHttp(k8s.Kubernetes client) : IKubernetesHttp
{
    // Without the slash the last part of a base address with a path would be replaced: https://host/clusters/a is a cluster behind a proxy.
    private readonly Uri _base = client.BaseUri.AbsoluteUri.EndsWith('/') ? client.BaseUri : new Uri(client.BaseUri.AbsoluteUri + "/");

    public async Task<HttpResponseMessage> GetAsync(string relativeUri, string accept, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_base, relativeUri)) { Version = HttpVersion.Version20 };
        request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(accept));
        if (client.Credentials is { } credentials) await credentials.ProcessHttpRequestAsync(request, cancellationToken);
        return await client.HttpClient.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }
}
