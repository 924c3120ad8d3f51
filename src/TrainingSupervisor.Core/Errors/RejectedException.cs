namespace TrainingSupervisor;

/// <summary>The API server refuses a request for what it asks, and will do so again: trying again cannot help.</summary>
internal sealed class RejectedException(string message, Exception? inner = null) : SupervisorException(message, inner);
