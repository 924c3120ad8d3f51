namespace TrainingSupervisor.Testing.Runtime;

/// <summary>A container could not be started; the message is what its status says.</summary>
internal sealed class ContainerStartException(string message, Exception? inner = null) : Exception(message, inner);
