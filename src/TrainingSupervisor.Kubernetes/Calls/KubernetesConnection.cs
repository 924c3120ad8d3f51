using k8s;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// The client, with connections that notice when nobody is there any more. Over HTTP/2 all requests share one connection: while it is
/// half-open, every retry goes the same dead way. The client's own pings find that after three and a half minutes, and a Lease lasts seconds.
/// </summary>
internal static class KubernetesConnection
{
    public static k8s.Kubernetes Open(KubernetesClientConfiguration configuration, KubernetesOptions options)
    {
        var before = configuration.FirstMessageHandlerSetup;
        // Together well under the Lease's duration, and an answer that is only slow must not cost the connection.
        var ping = TimeSpan.FromSeconds(Math.Clamp(options.LeaseDuration.TotalSeconds / 5, 1, 10));
        var patience = TimeSpan.FromSeconds(Math.Clamp(options.LeaseDuration.TotalSeconds / 3, 3, 10));
        configuration.FirstMessageHandlerSetup = handler =>
        {
            handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
            handler.KeepAlivePingDelay = ping;
            handler.KeepAlivePingTimeout = patience;
            handler.ConnectTimeout = TimeSpan.FromSeconds(10);
            before?.Invoke(handler);
        };
        return new k8s.Kubernetes(configuration);
    }
}
