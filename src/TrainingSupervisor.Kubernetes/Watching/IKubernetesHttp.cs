namespace TrainingSupervisor.Kubernetes;

/// <summary>The little of the client that lists and watches need: an authenticated GET whose body is read as it comes.</summary>
internal interface IKubernetesHttp
{
    Task<HttpResponseMessage> GetAsync(string relativeUri, string accept, CancellationToken cancellationToken);
}
