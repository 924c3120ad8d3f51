using Microsoft.Extensions.Options;

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
        Check(IsAddress(options.Gateway.AdvertisedAddress),
            $"Gateway.AdvertisedAddress is '{options.Gateway.AdvertisedAddress}'; use host, host:port or https://host:port.");
        return found.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(found);
    }

    private static bool IsAddress(string? address)
    {
        if (address is null) return true;
        if (address.Contains("://", StringComparison.Ordinal) && !address.StartsWith("https://", StringComparison.Ordinal)) return false;
        return Uri.TryCreate(address.StartsWith("https://", StringComparison.Ordinal) ? address : $"https://{address}", UriKind.Absolute, out var uri)
            && uri is { Host.Length: > 0, PathAndQuery: "/", UserInfo: "" };
    }
}
