namespace TrainingSupervisor.Kubernetes;

/// <summary>The little of the client that lists and watches need: an authenticated GET whose body is read as it comes.</summary>
internal interface IKubernetesHttp
{
    Task<HttpResponseMessage> GetAsync(string relativeUri, CancellationToken cancellationToken);
}

/// <summary>Over the client's own HttpClient: its credentials, its certificates, its connections.</summary>
internal sealed class KubernetesHttp(k8s.Kubernetes client) : IKubernetesHttp
{
    public async Task<HttpResponseMessage> GetAsync(string relativeUri, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(client.BaseUri, relativeUri)) { Version = System.Net.HttpVersion.Version20 };
        if (client.Credentials is { } credentials) await credentials.ProcessHttpRequestAsync(request, cancellationToken);
        return await client.HttpClient.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }
}
