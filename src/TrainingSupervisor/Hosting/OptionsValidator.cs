using Microsoft.Extensions.Options;
using TrainingSupervisor.Gateway;

namespace TrainingSupervisor;

/// <summary>Names every mistake in the options at once, each with what would be right.</summary>
internal sealed class OptionsValidator : IValidateOptions<TrainingSupervisorOptions>
{
    public ValidateOptionsResult Validate(string? name, TrainingSupervisorOptions options)
    {
        var found = new List<string>();
        void Check(bool right, string message)
        {
            if (!right) found.Add(message);
        }

        Check(options.KubeConfigPath is null || File.Exists(options.KubeConfigPath),
            $"KubeConfigPath names a file that does not exist: {options.KubeConfigPath}.");
        var kubernetes = options.Kubernetes;
        Check(kubernetes.LeaseDuration >= TimeSpan.FromSeconds(1), $"Kubernetes.LeaseDuration is {kubernetes.LeaseDuration}; use at least one second.");
        Check(kubernetes.RequestTimeout > TimeSpan.Zero, $"Kubernetes.RequestTimeout is {kubernetes.RequestTimeout}; use more than zero.");
        Check(kubernetes.WatchIdleTimeout >= TimeSpan.FromSeconds(1), $"Kubernetes.WatchIdleTimeout is {kubernetes.WatchIdleTimeout}; use at least one second.");
        Check(kubernetes.MaxConcurrentRequests > 0, $"Kubernetes.MaxConcurrentRequests is {kubernetes.MaxConcurrentRequests}; use at least 1.");
        Check(!string.IsNullOrWhiteSpace(kubernetes.Identity), "Kubernetes.Identity is empty; leave it out for one of this process's own.");
        Check(options.Gateway.Port is >= 0 and <= 65535, $"Gateway.Port is {options.Gateway.Port}; use 1 to 65535, or 0 for a free one.");
        Check(IsAddress(options.Gateway),
            $"Gateway.AdvertisedAddress is '{options.Gateway.AdvertisedAddress}'; use host, host:port or https://host:port.");
        return found.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(found);
    }

    /// <summary>Judged by what the gateway makes of it; the port stands for the one that it will listen on.</summary>
    private static bool IsAddress(GatewayOptions gateway)
    {
        if (gateway.AdvertisedAddress is null) return true;
        return !string.IsNullOrWhiteSpace(gateway.AdvertisedAddress)
            && Uri.TryCreate(AdvertisedEndpoint.Of(gateway, port: 1), UriKind.Absolute, out var uri)
            && uri is { Host.Length: > 0, PathAndQuery: "/", UserInfo: "" };
    }
}
